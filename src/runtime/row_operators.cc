#include "runtime/row_operators.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "kernels/elementwise/elementwise.h"
#include "kernels/norm/norm.h"
#include "kernels/softmax/softmax.h"

namespace octavo::runtime {
namespace {

constexpr std::size_t kBlock = 1 << 13;  // elements of one piece of work
constexpr std::size_t kLine = 1 << 10;   // a number, repeated

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
  const kernels::SoftmaxKernel& kernel = kernels::choose_softmax(isa);
  const float* from = x->data<float>().data();
  float* to = out.mutable_data<float>().data();
  for_blocks(rows, pool, [&](std::size_t first, std::size_t last) {
    kernel.softmax({.x = from + first * rows.width,
                    .ld_x = rows.width,
                    .y = to + first * rows.width,
                    .ld_y = rows.width,
                    .rows = last - first,
                    .width = rows.width});
  });
  outputs.push_back(std::move(out));
  return true;
}

/// How many elements of `small` are repeated along the rows of `large`: all where the shapes are
/// equal, one for a number; 0 where it is not read that way.
std::size_t repeated(const Tensor& small, const Tensor& large) {
  if (small.rank() > large.rank()) return 0;
  std::size_t lead = 0;
  while (lead < small.rank() && small.dim(lead) == 1) ++lead;
  const auto from = small.shape().begin() + static_cast<std::ptrdiff_t>(lead);
  const std::ptrdiff_t count = small.shape().end() - from;
  return std::equal(from, small.shape().end(), large.shape().end() - count) ? small.elements() : 0;
}

bool binary(const ops::OpCall& call, kernels::BinaryOp op, IsaMask isa, ThreadPool& pool,
            std::vector<Tensor>& outputs) {
  const Tensor *a = call.optional(0), *b = call.optional(1);
  if (a == nullptr || b == nullptr || a->dtype() != DType::kFloat32 ||
      b->dtype() != DType::kFloat32 || a->elements() == 0 || b->elements() == 0) {
    return false;
  }
  const std::size_t of_b = repeated(*b, *a), of_a = of_b != 0 ? a->elements() : repeated(*a, *b);
  if (of_b == 0 && of_a == 0) return false;
  const Tensor& large = of_b != 0 ? *a : *b;
  const std::size_t least = of_b != 0 ? of_b : of_a, all = large.elements();
  // A number becomes a row of them.
  const std::size_t width = least == all ? std::min(all, kBlock) : least == 1 ? kLine : least;
  const std::vector<float> line(least == 1 ? kLine : 0, (of_b != 0 ? b : a)->data<float>().front());
  const bool same = least == all;
  const float* x = of_b == 0 && least == 1 ? line.data() : a->data<float>().data();
  const float* y = of_b != 0 && least == 1 && !same ? line.data() : b->data<float>().data();
  const std::size_t ld_x = of_b != 0 ? width : 0, ld_y = same || of_b == 0 ? width : 0;
  Tensor out(DType::kFloat32, large.shape());
  float* z = out.mutable_data<float>().data();
  const kernels::ElementwiseKernel& kernel = kernels::choose_elementwise(isa);
  const auto run = [&](std::size_t first, std::size_t rows, std::size_t count) {
    kernel.binary({.a = x + first * ld_x,
                   .b = y + first * ld_y,
                   .ld_a = ld_x,
                   .ld_b = ld_y,
                   .y = z + first * width,
                   .ld_y = width,
                   .rows = rows,
                   .width = count,
                   .op = op});
  };
  const std::size_t whole = all / width, rest = all % width;
  for_blocks({whole, width}, pool,
             [&](std::size_t first, std::size_t last) { run(first, last - first, width); });
  if (rest != 0) run(whole, 1, rest);
  outputs.push_back(std::move(out));
  return true;
}

/// The one scale of a QuantizeLinear or DequantizeLinear and its bytes; nothing for other forms.
struct Grid {
  float scale;
  kernels::Steps steps;
  DType dtype;
};
std::optional<Grid> grid_of(const ops::OpCall& call, DType bytes) {
  const Tensor *scale = call.optional(1), *zero = call.optional(2);
  if (scale == nullptr || scale->dtype() != DType::kFloat32 || scale->elements() != 1 ||
      (zero != nullptr && (zero->elements() != 1 || zero->dtype() != bytes)) ||
      (bytes != DType::kUint8 && bytes != DType::kInt8) ||
      call.attributes().int_or("block_size", 0) != 0 ||
      call.attributes().int_or("output_dtype", 0) != 0) {
    return std::nullopt;
  }
  const auto at = zero == nullptr ? 0 : static_cast<std::int32_t>(zero->to_int64s()[0]);
  return Grid{scale->data<float>()[0], {.zero = at, .is_signed = bytes == DType::kInt8}, bytes};
}

bool quantize(const ops::OpCall& call, IsaMask isa, ThreadPool& pool,
              std::vector<Tensor>& outputs) {
  const Tensor *x = call.optional(0), *zero = call.optional(2);
  const auto grid = grid_of(call, zero == nullptr ? DType::kUint8 : zero->dtype());
  if (!grid || x == nullptr || x->dtype() != DType::kFloat32 || x->elements() == 0) return false;
  Tensor out(grid->dtype, x->shape());
  const kernels::AffineKernel& kernel = kernels::choose_affine(isa);
  const float* from = x->data<float>().data();
  auto* to = reinterpret_cast<std::uint8_t*>(out.mutable_bytes());
  for_blocks({x->elements(), 1}, pool, [&](std::size_t first, std::size_t last) {
    kernel.quantize(from + first, last - first, grid->scale, grid->steps, to + first);
  });
  outputs.push_back(std::move(out));
  return true;
}

bool dequantize(const ops::OpCall& call, IsaMask isa, ThreadPool& pool,
                std::vector<Tensor>& outputs) {
  const Tensor* x = call.optional(0);
  if (x == nullptr || x->elements() == 0) return false;
  const auto grid = grid_of(call, x->dtype());
  if (!grid) return false;
  Tensor out(DType::kFloat32, x->shape());
  const kernels::AffineKernel& kernel = kernels::choose_affine(isa);
  const auto* from = reinterpret_cast<const std::uint8_t*>(x->bytes());
  float* to = out.mutable_data<float>().data();
  for_blocks({x->elements(), 1}, pool, [&](std::size_t first, std::size_t last) {
    kernel.dequantize(from + first, last - first, grid->scale, grid->steps, to + first);
  });
  outputs.push_back(std::move(out));
  return true;
}

}  // namespace

bool quantize_rows(const Tensor& x, const kernels::AffineKernel& kernel, ThreadPool& pool,
                   std::vector<Tensor>& outputs) {
  if (x.dtype() != DType::kFloat32 || x.elements() == 0) return false;
  const auto from = x.data<float>();
  const std::size_t pieces = (from.size() + kBlock - 1) / kBlock;
  std::vector<float> lows(pieces), highs(pieces);
  pool.parallel_for(pieces, [&](std::size_t piece, int) {
    const std::size_t first = piece * kBlock, count = std::min(from.size() - first, kBlock);
    if (!kernel.range(from.data() + first, count, &lows[piece], &highs[piece])) lows[piece] = NAN;
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
  std::uint8_t* to = out.mutable_data<std::uint8_t>().data();
  pool.parallel_for(pieces, [&](std::size_t piece, int) {
    const std::size_t first = piece * kBlock, count = std::min(from.size() - first, kBlock);
    kernel.quantize(from.data() + first, count, scale, {.zero = zero}, to + first);
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
  if (op == "Add") return binary(call, kernels::BinaryOp::kAdd, isa, pool, outputs);
  if (op == "Sub") return binary(call, kernels::BinaryOp::kSub, isa, pool, outputs);
  if (op == "Mul") return binary(call, kernels::BinaryOp::kMul, isa, pool, outputs);
  if (op == "Div") return binary(call, kernels::BinaryOp::kDiv, isa, pool, outputs);
  if (op == "QuantizeLinear") return quantize(call, isa, pool, outputs);
  if (op == "DequantizeLinear") return dequantize(call, isa, pool, outputs);
  if (op == "DynamicQuantizeLinear" && call.optional(0) != nullptr) {
    return quantize_rows(*call.optional(0), kernels::choose_affine(isa), pool, outputs);
  }
  return false;
}

}  // namespace octavo::runtime
