#include "quant/weight_only.h"

#include <algorithm>
#include <cmath>

#include "ops/four_bits.h"

namespace octavo::quant {
namespace {

struct Block {
  float scale = 0;
  int zero = 0;
};

/// One block of a column: `x` with `stride` between its elements.
Block choose_block(std::span<const float> x, int bits, bool symmetric) {
  const float top = static_cast<float>((1 << bits) - 1);
  const int middle = 1 << (bits - 1);
  float low = 0, high = 0;
  for (const float v : x) {
    low = std::min(low, v);
    high = std::max(high, v);
  }
  if (symmetric) {
    const float peak = std::fabs(high) > std::fabs(low) ? high : low;
    return {peak / -static_cast<float>(middle), middle};
  }
  float scale = (high - low) / top;
  if (!std::isfinite(scale)) scale = high / top - low / top;  // the difference alone overflows
  const float zero = scale == 0 ? 0 : std::clamp(std::round(-low / scale), 0.0f, top);
  return {scale, static_cast<int>(zero)};
}

/// Zero where it would not be finite: such a block is all zeros.
float inverse_of(float scale) {
  const float out = 1 / scale;
  return std::isfinite(out) ? out : 0;
}

}  // namespace

Blocks make_blocks(const Tensor& matrix, int bits, std::size_t block, bool symmetric) {
  const auto rows = static_cast<std::size_t>(matrix.dim(0)),
             columns = static_cast<std::size_t>(matrix.dim(1));
  const std::size_t blocks = (rows + block - 1) / block;
  const std::size_t blob = block * static_cast<std::size_t>(bits) / 8;
  const std::size_t zero_bytes = (blocks * static_cast<std::size_t>(bits) + 7) / 8;
  const auto size = [](std::size_t n) { return static_cast<std::int64_t>(n); };
  Blocks out{.values = Tensor(DType::kUint8, {size(columns), size(blocks), size(blob)}),
             .scales = Tensor(DType::kFloat32, {size(columns), size(blocks)}),
             .zeros = {}};
  if (!symmetric) out.zeros = Tensor(DType::kUint8, {size(columns), size(zero_bytes)});
  const auto values = out.values.mutable_data<std::uint8_t>();
  const auto zeros = out.zeros.mutable_data<std::uint8_t>();
  std::ranges::fill(values, std::uint8_t{0});
  if (!symmetric) std::ranges::fill(zeros, std::uint8_t{0});
  if (!symmetric && bits == 4 && blocks % 2 == 1) {  // MLAS fills the nibble without a block
    for (std::size_t c = 0; c < columns; ++c) zeros[(c + 1) * zero_bytes - 1] = 0x80;
  }
  const auto put = [&](std::span<std::uint8_t> to, std::size_t at, int code) {
    if (bits == 8) {
      to[at] = static_cast<std::uint8_t>(code);
    } else {
      to[at / 2] = static_cast<std::uint8_t>(to[at / 2] | code << (at % 2 * 4));
    }
  };
  const auto x = matrix.data<float>();
  const float top = static_cast<float>((1 << bits) - 1);
  std::vector<float> part(block);
  for (std::size_t c = 0; c < columns; ++c) {
    for (std::size_t b = 0; b < blocks; ++b) {
      const std::size_t from = b * block, count = std::min(block, rows - from);
      for (std::size_t i = 0; i < count; ++i) part[i] = x[(from + i) * columns + c];
      const Block chosen = choose_block(std::span(part).first(count), bits, symmetric);
      out.scales.mutable_data<float>()[c * blocks + b] = chosen.scale;
      if (!symmetric) put(zeros.subspan(c * zero_bytes, zero_bytes), b, chosen.zero);
      const float inverse = inverse_of(chosen.scale);
      const auto to = values.subspan((c * blocks + b) * blob, blob);
      for (std::size_t i = 0; i < count; ++i) {
        const float code = std::round(part[i] * inverse + static_cast<float>(chosen.zero));
        put(to, i, static_cast<int>(std::clamp(code, 0.0f, top)));
      }
    }
  }
  return out;
}

namespace {

/// Integers with a scale and a zero point a block of rows, as DequantizeLinear of opset 21 has
/// them.
struct BlockedRows {
  Tensor values;  // int8 or uint8 [K, N]
  Tensor scales;  // float32 [ceil(K / block), N]
  Tensor zeros;   // of the values' type, as the scales
};

/// 8 bits: int8, the scheme of onnxruntime's quantiser. 4 bits: the integers of make_blocks(),
/// which are int4 around zero where symmetric, else uint4.
BlockedRows make_blocked_rows(const Tensor& matrix, int bits, std::size_t block, bool symmetric) {
  const auto rows = static_cast<std::size_t>(matrix.dim(0)),
             columns = static_cast<std::size_t>(matrix.dim(1));
  const std::size_t blocks = (rows + block - 1) / block;
  const DType dtype = bits == 8 || symmetric ? DType::kInt8 : DType::kUint8;
  BlockedRows out{
      .values = Tensor(dtype, matrix.shape()),
      .scales = Tensor(DType::kFloat32, {static_cast<std::int64_t>(blocks), matrix.dim(1)}),
      .zeros = {}};
  out.zeros = Tensor(dtype, out.scales.shape());
  const IntegerScheme scheme{QuantizedType::kInt8, symmetric, false};
  const auto x = matrix.data<float>();
  const auto scales = out.scales.mutable_data<float>();
  std::byte *values = out.values.mutable_bytes(), *zeros = out.zeros.mutable_bytes();
  std::vector<float> part(block);
  for (std::size_t b = 0; b < blocks; ++b) {
    const std::size_t from = b * block, count = std::min(block, rows - from);
    for (std::size_t c = 0; c < columns; ++c) {
      for (std::size_t k = 0; k < count; ++k) part[k] = x[(from + k) * columns + c];
      const std::span<const float> found = std::span(part).first(count);
      const std::size_t at = b * columns + c;
      if (bits == 4) {
        const Block chosen = choose_block(found, bits, symmetric);
        const int shift = symmetric ? chosen.zero : 0;  // int4 is around zero
        const float inverse = inverse_of(chosen.scale);
        scales[at] = chosen.scale;
        zeros[at] = static_cast<std::byte>(chosen.zero - shift);
        for (std::size_t k = 0; k < count; ++k) {
          const float code = std::round(found[k] * inverse + static_cast<float>(chosen.zero));
          values[(from + k) * columns + c] =
              static_cast<std::byte>(static_cast<int>(std::clamp(code, 0.0f, 15.0f)) - shift);
        }
      } else {
        const auto [low, high] = std::ranges::minmax(found);
        const Scale s = choose_scale(std::min(low, 0.0f), std::max(high, 0.0f), scheme);
        scales[at] = s.scale;
        zeros[at] = static_cast<std::byte>(s.zero);
        for (std::size_t k = 0; k < count; ++k) {
          const float code = std::nearbyint(found[k] / s.scale) + static_cast<float>(s.zero);
          values[(from + k) * columns + c] =
              static_cast<std::byte>(static_cast<int>(std::clamp(code, -128.0f, 127.0f)));
        }
      }
    }
  }
  return out;
}

ir::ValueId blocked_dequantize(Rewriter& r, ir::ValueId weight) {
  std::vector<ir::ValueId>& made = r.made_of(weight);
  if (!made.empty()) return made.front();
  const QuantizeOptions& options = r.options();
  const int bits = options.mode == QuantizeMode::kInt4 ? 4 : 8;
  const Tensor matrix = *r.graph().constant(weight);
  require_finite(matrix, r.name(weight));
  BlockedRows rows =
      make_blocked_rows(matrix, bits, options.block_size, options.weight_symmetric.value_or(true));
  matrix.release();
  const std::string base = r.name(weight), name = base + "_DQ_Q" + std::to_string(bits);
  ir::Attributes attributes;
  attributes.set("axis", std::int64_t{0});
  attributes.set("block_size", static_cast<std::int64_t>(options.block_size));
  if (bits == 4) attributes.set(ops::kFourBits, std::int64_t{1});
  made = {r.emit("DequantizeLinear",
                 {r.graph().add_constant(name, std::move(rows.values)),
                  r.graph().add_constant(base + "_DQ_scales", std::move(rows.scales)),
                  r.graph().add_constant(base + "_DQ_zero_points", std::move(rows.zeros))},
                 name, name + "_output", std::move(attributes))};
  return made.front();
}

/// Values, scales and (not where symmetric) zero points for MatMulNBits.
const std::vector<ir::ValueId>& packed_blocks(Rewriter& r, ir::ValueId weight, int bits) {
  std::vector<ir::ValueId>& made = r.made_of(weight);
  if (!made.empty()) return made;
  const bool symmetric = r.options().weight_symmetric.value_or(true);
  const Tensor matrix = *r.graph().constant(weight);
  require_finite(matrix, r.name(weight));
  Blocks blocks = make_blocks(matrix, bits, r.options().block_size, symmetric);
  matrix.release();
  const std::string base = r.name(weight);
  made = {r.graph().add_constant(base + "_Q" + std::to_string(bits), std::move(blocks.values)),
          r.graph().add_constant(base + "_scales", std::move(blocks.scales))};
  if (!symmetric)
    made.push_back(r.graph().add_constant(base + "_zero_points", std::move(blocks.zeros)));
  return made;
}

}  // namespace

void weight_only_product(Rewriter& r, const ir::Node& node) {
  const QuantizeOptions& options = r.options();
  const ir::ValueId out = node.outputs[0], weight = node.input(1);
  if (options.format == QuantizeFormat::kQdq) {
    const ir::ValueId floats = blocked_dequantize(r, weight);
    r.replace(out, r.emit("MatMul", {node.input(0), floats}, node.name, ""));
    return r.done(node, "DequantizeLinear with blocks, MatMul");
  }
  const int bits = options.mode == QuantizeMode::kInt4 ? 4 : 8;
  const Shape shape = r.graph().constant(weight)->shape();
  std::vector<ir::ValueId> inputs = packed_blocks(r, weight, bits);
  inputs.insert(inputs.begin(), node.input(0));
  ir::Attributes attributes;
  attributes.set("K", shape[0]);
  attributes.set("N", shape[1]);
  attributes.set("bits", std::int64_t{bits});
  attributes.set("block_size", static_cast<std::int64_t>(options.block_size));
  if (options.accuracy_level != 0)
    attributes.set("accuracy_level", std::int64_t{options.accuracy_level});
  r.replace(out, r.emit("MatMulNBits", std::move(inputs), node.name + "_Q" + std::to_string(bits),
                        "", std::move(attributes), "com.microsoft"));
  r.done(node, "MatMulNBits");
}

}  // namespace octavo::quant
