#include "runtime/row_operators.h"

#include <algorithm>
#include <cmath>

#include "kernels/elementwise/elementwise.h"
#include "kernels/norm/norm.h"
#include "kernels/simd/math.h"

namespace octavo::runtime {
namespace {

constexpr std::size_t kBlock = 1 << 13;  // elements of one piece of work

struct Rows {
  std::size_t count = 0, width = 0;
};

/// x as rows of its last dimension; none where it is empty or of another type.
Rows rows_of(const Tensor* x) {
  if (x == nullptr || x->dtype() != DType::kFloat32 || x->rank() == 0 || x->elements() == 0) {
    return {};
  }
  const auto width = static_cast<std::size_t>(x->shape().back());
  return {x->elements() / width, width};
}

/// body(first, last) over rows, in pieces.
template <typename Body>
void for_blocks(const Rows& rows, ThreadPool& pool, Body body) {
  const std::size_t step = std::max<std::size_t>(1, kBlock / rows.width);
  pool.parallel_for((rows.count + step - 1) / step, [&](std::size_t i, int) {
    body(i * step, std::min(rows.count, (i + 1) * step));
  });
}

bool last_axis(const ops::OpCall& call, const Tensor& x) {
  const std::int64_t axis = call.attributes().int_or("axis", -1);
  return axis == -1 || axis == static_cast<std::int64_t>(x.rank()) - 1;
}

bool gelu(const ops::OpCall& call, IsaMask isa, ThreadPool& pool, std::vector<Tensor>& outputs) {
  const Tensor* x = call.optional(0);
  const Rows rows = rows_of(x);
  const std::string form = call.attributes().string_or("approximate", "none");
  if (rows.count == 0 || (form != "none" && form != "tanh")) return false;
  const auto activation =
      form == "tanh" ? kernels::Activation::kGeluTanh : kernels::Activation::kGeluErf;
  Tensor out(DType::kFloat32, x->shape());
  const kernels::ElementwiseKernel& kernel = kernels::choose_elementwise(isa);
  const float* from = x->data<float>().data();
  float* to = out.mutable_data<float>().data();
  for_blocks(rows, pool, [&](std::size_t first, std::size_t last) {
    kernel.unary({.x = from + first * rows.width,
                  .ld_x = rows.width,
                  .y = to + first * rows.width,
                  .ld_y = rows.width,
                  .rows = last - first,
                  .width = rows.width,
                  .activation = activation});
  });
  outputs.push_back(std::move(out));
  return true;
}

bool layer_norm(const ops::OpCall& call, IsaMask isa, ThreadPool& pool,
                std::vector<Tensor>& outputs) {
  const Tensor *x = call.optional(0), *scale = call.optional(1), *bias = call.optional(2);
  const Rows rows = rows_of(x);
  if (rows.count == 0 || !last_axis(call, *x) || call.node.outputs.size() != 1 ||
      scale == nullptr) {
    return false;
  }
  for (const Tensor* row : {scale, bias}) {
    if (row != nullptr &&
        (row->dtype() != DType::kFloat32 || row->elements() != rows.width || row->rank() != 1)) {
      return false;
    }
  }
  Tensor out(DType::kFloat32, x->shape());
  const kernels::NormKernel& kernel = kernels::choose_norm(isa);
  const float epsilon = call.attributes().float_or("epsilon", 1e-5f);
  const float* from = x->data<float>().data();
  float* to = out.mutable_data<float>().data();
  for_blocks(rows, pool, [&](std::size_t first, std::size_t last) {
    kernel.layer_norm({.x = from + first * rows.width,
                       .ld_x = rows.width,
                       .y = to + first * rows.width,
                       .ld_y = rows.width,
                       .rows = last - first,
                       .width = rows.width,
                       .scale = scale->data<float>().data(),
                       .bias = bias != nullptr ? bias->data<float>().data() : nullptr,
                       .epsilon = epsilon});
  });
  outputs.push_back(std::move(out));
  return true;
}

bool softmax(const ops::OpCall& call, IsaMask isa, ThreadPool& pool, std::vector<Tensor>& outputs) {
  const Tensor* x = call.optional(0);
  const Rows rows = rows_of(x);
  if (rows.count == 0 || !last_axis(call, *x)) return false;
  Tensor out(DType::kFloat32, x->shape());
  const kernels::MathKernel& kernel = kernels::choose_math(isa);
  const float* from = x->data<float>().data();
  float* to = out.mutable_data<float>().data();
  for_blocks(rows, pool, [&](std::size_t first, std::size_t last) {
    for (std::size_t r = first; r < last; ++r) {
      const float* in = from + r * rows.width;
      float* y = to + r * rows.width;
      const float largest = *std::max_element(in, in + rows.width);
      for (std::size_t i = 0; i < rows.width; ++i) y[i] = in[i] - largest;
      kernel.exp(y, y, rows.width);
      double sum = 0;
      for (std::size_t i = 0; i < rows.width; ++i) sum += y[i];
      const auto factor = static_cast<float>(1 / sum);
      for (std::size_t i = 0; i < rows.width; ++i) y[i] *= factor;
    }
  });
  outputs.push_back(std::move(out));
  return true;
}

}  // namespace

bool quantize_rows(const Tensor& x, ThreadPool& pool, std::vector<Tensor>& outputs) {
  if (x.dtype() != DType::kFloat32 || x.elements() == 0) return false;
  const auto from = x.data<float>();
  const std::size_t pieces = (from.size() + kBlock - 1) / kBlock;
  std::vector<float> lows(pieces), highs(pieces);
  pool.parallel_for(pieces, [&](std::size_t piece, int) {
    float low = 0, high = 0;
    bool finite = true;
    for (std::size_t i = piece * kBlock; i < std::min(from.size(), (piece + 1) * kBlock); ++i) {
      low = from[i] < low ? from[i] : low;
      high = from[i] > high ? from[i] : high;
      finite &= from[i] - from[i] == 0;
    }
    lows[piece] = finite ? low : NAN;
    highs[piece] = high;
  });
  float low = 0, high = 0;
  for (std::size_t i = 0; i < pieces; ++i) {
    if (std::isnan(lows[i])) return false;
    low = std::min(low, lows[i]);
    high = std::max(high, highs[i]);
  }
  if (!std::isfinite(high - low)) return false;
  const float scale = high == low ? 1.0f : (high - low) / 255.0f;
  if (!(scale > 0)) return false;
  const double at = std::nearbyint(static_cast<double>((0.0f - low) / scale));
  const auto zero = static_cast<std::uint8_t>(std::clamp(at, 0.0, 255.0));
  Tensor out(DType::kUint8, x.shape());
  const auto to = out.mutable_data<std::uint8_t>();
  pool.parallel_for(pieces, [&](std::size_t piece, int) {
    // Quotients are within 256 of zero: adding 1.5 * 2^23 rounds them to the nearest even integer.
    constexpr float kRound = 12582912.0f;
    const float offset = zero;
    for (std::size_t i = piece * kBlock; i < std::min(to.size(), (piece + 1) * kBlock); ++i) {
      const float rounded = (from[i] / scale + kRound) - kRound + offset;
      to[i] =
          static_cast<std::uint8_t>(static_cast<int>(std::min(std::max(rounded, 0.0f), 255.0f)));
    }
  });
  outputs = {std::move(out), Tensor::scalar<float>(scale), Tensor::scalar<std::uint8_t>(zero)};
  return true;
}

bool run_rows(const ops::OpCall& call, IsaMask isa, ThreadPool& pool,
              std::vector<Tensor>& outputs) {
  if (!call.node.domain.empty()) return false;
  const std::string& op = call.node.op;
  if (op == "Gelu") return gelu(call, isa, pool, outputs);
  if (op == "LayerNormalization") return layer_norm(call, isa, pool, outputs);
  if (op == "Softmax") return softmax(call, isa, pool, outputs);
  if (op == "DynamicQuantizeLinear" && call.optional(0) != nullptr) {
    return quantize_rows(*call.optional(0), pool, outputs);
  }
  return false;
}

}  // namespace octavo::runtime
