// com.microsoft operators on weights in blocks of few bits: MatMulNBits, MatMulBnb4,
// GatherBlockQuantized.
#include "ops/contrib_blocks.h"

#include <algorithm>
#include <array>

#include "base/checked.h"
#include "ops/four_bits.h"

namespace octavo::ops {
namespace {

std::int64_t positive(const OpCall& call, const char* name, std::int64_t value) {
  if (value < 1 || value > (std::int64_t{1} << 31)) {
    call.fail(std::string("attribute '") + name + "' is out of range", "1 to 2147483648",
              std::to_string(value));
  }
  return value;
}

std::int64_t required(const OpCall& call, const char* name) {
  return positive(call, name, call.attributes().require_int(name));
}

void require_elements(const OpCall& call, const Tensor& x, std::int64_t wanted, const char* what) {
  if (static_cast<std::int64_t>(x.elements()) != wanted) {
    call.fail(std::string(what) + " have another number of elements", std::to_string(wanted),
              shape_to_string(x.shape()));
  }
}

// Code `i` of bytes that hold 8 / bits codes each, the first in the lowest bits.
int code_at(const std::uint8_t* bytes, std::int64_t i, std::int64_t bits) {
  const std::int64_t each = 8 / bits;
  return bytes[i / each] >> (i % each * bits) & ((1 << bits) - 1);
}

std::int64_t checked_bits(const OpCall& call) {
  const std::int64_t bits = call.attributes().int_or("bits", 4);
  if (bits != 2 && bits != 4 && bits != 8) {
    call.fail("attribute 'bits' is not supported", "2, 4 or 8", std::to_string(bits));
  }
  return bits;
}

void require_bytes(const OpCall& call, const Tensor& x) {
  if (x.dtype() != DType::kUint8) fail_dtype(call, x.dtype(), "uint8");
}

constexpr std::array<float, 16> kFp4{
    0.0f, 5.208333333e-03f,  0.66666667f,  1.0f,  0.33333333f,  0.5f,  0.16666667f,  0.25f,
    0.0f, -5.208333333e-03f, -0.66666667f, -1.0f, -0.33333333f, -0.5f, -0.16666667f, -0.25f};
constexpr std::array<float, 16> kNf4{-1.0f,
                                     -0.6961928009986877f,
                                     -0.5250730514526367f,
                                     -0.39491748809814453f,
                                     -0.28444138169288635f,
                                     -0.18477343022823334f,
                                     -0.09105003625154495f,
                                     0.0f,
                                     0.07958029955625534f,
                                     0.16093020141124725f,
                                     0.24611230194568634f,
                                     0.33791524171829224f,
                                     0.44070982933044434f,
                                     0.5626170039176941f,
                                     0.7229568362236023f,
                                     1.0f};

}  // namespace

Tensor nbits_weight(const OpCall& call) {
  const std::int64_t k = required(call, "K"), n = required(call, "N"), bits = checked_bits(call);
  const std::int64_t block = required(call, "block_size");
  if (block < 16 || (block & (block - 1)) != 0) {
    call.fail("attribute 'block_size' is not supported", "a power of two of 16 or more",
              std::to_string(block));
  }
  if (call.optional(4) != nullptr) {
    call.fail("an order of the groups is not supported", "no input 4");
  }
  const Tensor& codes = call.input(1);
  require_bytes(call, codes);
  const std::int64_t blocks = (k + block - 1) / block, blob = block * bits / 8;
  const Tensor scales = call.input(2).to_float32();
  if (static_cast<double>(n) * static_cast<double>(blocks) * static_cast<double>(blob) >
      static_cast<double>(kMaxTensorBytes)) {
    call.fail("the weights are too large");
  }
  require_elements(call, codes, n * blocks * blob, "the weights");
  require_elements(call, scales, n * blocks, "the scales");
  const Tensor* zeros = call.optional(3);
  Tensor zero_floats;
  const std::int64_t zero_row = (blocks * bits + 7) / 8;
  if (zeros != nullptr && dtype_is_float(zeros->dtype())) {
    zero_floats = zeros->to_float32();
    require_elements(call, zero_floats, n * blocks, "the zero points");
  } else if (zeros != nullptr) {
    require_bytes(call, *zeros);
    require_elements(call, *zeros, n * zero_row, "the zero points");
  }
  Tensor out = make_output(call, DType::kFloat32, {k, n});
  const std::uint8_t* from = codes.data<std::uint8_t>().data();
  float* to = out.mutable_data<float>().data();
  for (std::int64_t j = 0; j < n; ++j) {
    for (std::int64_t p = 0; p < k; ++p) {
      const std::int64_t at = j * blocks + p / block;
      float zero = static_cast<float>(1 << (bits - 1));
      if (zeros != nullptr && dtype_is_float(zeros->dtype())) {
        zero = zero_floats.data<float>()[static_cast<std::size_t>(at)];
      } else if (zeros != nullptr) {
        zero = static_cast<float>(
            code_at(zeros->data<std::uint8_t>().data() + j * zero_row, p / block, bits));
      }
      const auto code = static_cast<float>(code_at(from + at * blob, p % block, bits));
      to[p * n + j] = (code - zero) * scales.data<float>()[static_cast<std::size_t>(at)];
    }
  }
  return out;
}

Tensor bnb4_weight(const OpCall& call) {
  const std::int64_t k = required(call, "K"), n = required(call, "N");
  const std::int64_t block = required(call, "block_size");
  const std::int64_t type = call.attributes().require_int("quant_type");
  if (type != 0 && type != 1) {
    call.fail("attribute 'quant_type' is not known", "0 or 1", std::to_string(type));
  }
  if (call.attributes().int_or("transB", 1) != 1) {
    call.fail("attribute 'transB' is not supported", "1");
  }
  const Tensor& codes = call.input(1);
  require_bytes(call, codes);
  const Tensor scales = call.input(2).to_float32();
  require_elements(call, codes, (n * k + 1) / 2, "the weights");
  require_elements(call, scales, (n * k + block - 1) / block, "the scales");
  Tensor out = make_output(call, DType::kFloat32, {k, n});
  const auto& table = type == 0 ? kFp4 : kNf4;
  const auto from = codes.data<std::uint8_t>();
  float* to = out.mutable_data<float>().data();
  for (std::int64_t j = 0; j < n; ++j) {
    for (std::int64_t p = 0; p < k; ++p) {
      const std::int64_t i = j * k + p;
      const std::uint8_t pair = from[static_cast<std::size_t>(i / 2)];
      const std::size_t code = i % 2 == 0 ? pair >> 4 : pair & 15;
      to[p * n + j] = table[code] * scales.data<float>()[static_cast<std::size_t>(i / block)];
    }
  }
  return out;
}

namespace {

/// One integer an element, int8 or uint8, with blocks along any axis.
Tensor table_of_elements(const OpCall& call, std::int64_t block) {
  const Tensor& codes = call.input(0);
  const std::size_t axis =
      normalize_axis(call, call.attributes().int_or("quantize_axis", 1), codes.rank());
  Shape blocks = codes.shape();
  blocks[axis] = (blocks[axis] + block - 1) / block;
  const Tensor scales = call.input(2).to_float32();
  const Tensor* zeros = call.optional(3);
  for (const Shape& found : {scales.shape(), zeros != nullptr ? zeros->shape() : blocks}) {
    if (found == blocks) continue;
    call.fail("the scales or zero points do not fit the table", shape_to_string(blocks),
              shape_to_string(found));
  }
  const auto integer = [](const Tensor& t, std::size_t i) {
    return t.dtype() == DType::kInt8 ? int{t.data<std::int8_t>()[i]}
                                     : int{t.data<std::uint8_t>()[i]};
  };
  for (const Tensor* t : {&codes, zeros}) {
    if (t != nullptr && t->dtype() != DType::kInt8) require_bytes(call, *t);
  }
  Tensor out = make_output(call, DType::kFloat32, codes.shape());
  const Split3 whole = split_at(codes.shape(), axis);
  const auto floats = out.mutable_data<float>();
  const auto by = scales.data<float>();
  const auto step = static_cast<std::size_t>(block);
  const std::size_t count = (whole.axis + step - 1) / step;
  for (std::size_t i = 0; i < floats.size(); ++i) {
    const std::size_t inner = i % whole.inner, at = i / whole.inner % whole.axis;
    const std::size_t outer = i / whole.inner / whole.axis;
    const std::size_t b = (outer * count + at / step) * whole.inner + inner;
    const int zero = zeros != nullptr ? integer(*zeros, b) : 0;
    floats[i] = static_cast<float>(integer(codes, i) - zero) * by[b];
  }
  return out;
}

}  // namespace

Tensor block_table(const OpCall& call) {
  const Tensor& codes = call.input(0);
  const std::int64_t bits = checked_bits(call);
  const std::int64_t block =
      positive(call, "block_size", call.attributes().int_or("block_size", 128));
  if (codes.rank() < 1) call.fail("a table is expected", "1 dimension or more", "a scalar");
  if (call.attributes().find(kFourBits) != nullptr) return table_of_elements(call, block);
  require_bytes(call, codes);
  const std::size_t axis =
      normalize_axis(call, call.attributes().int_or("quantize_axis", 1), codes.rank());
  if (axis + 1 != codes.rank()) {
    call.fail("attribute 'quantize_axis' is not supported", "the last axis", std::to_string(axis));
  }
  Shape shape = codes.shape(), blocks = shape;
  const std::int64_t bytes = shape.back();
  if (!is_possible(shape, DType::kFloat64)) call.fail("the table is too large");
  shape.back() = bytes * (8 / bits);
  blocks.back() = (shape.back() + block - 1) / block;
  const Tensor scales = call.input(2).to_float32();
  if (scales.shape() != blocks) {
    call.fail("the scales do not fit the table", shape_to_string(blocks),
              shape_to_string(scales.shape()));
  }
  const Tensor* zeros = call.optional(3);
  const std::int64_t zero_bytes = (blocks.back() * bits + 7) / 8;
  if (zeros != nullptr) {
    require_bytes(call, *zeros);
    Shape wanted = blocks;
    wanted.back() = zero_bytes;
    if (zeros->shape() != wanted) {
      call.fail("the zero points do not fit the table", shape_to_string(wanted),
                shape_to_string(zeros->shape()));
    }
  }
  Tensor out = make_output(call, DType::kFloat32, shape);
  const auto rows = static_cast<std::int64_t>(product(shape, 0, axis));
  const std::uint8_t* from = codes.data<std::uint8_t>().data();
  float* to = out.mutable_data<float>().data();
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t i = 0; i < shape.back(); ++i) {
      int zero = 1 << (bits - 1);
      if (zeros != nullptr) {
        zero = code_at(zeros->data<std::uint8_t>().data() + r * zero_bytes, i / block, bits);
      }
      const float scale =
          scales.data<float>()[static_cast<std::size_t>(r * blocks.back() + i / block)];
      to[r * shape.back() + i] =
          static_cast<float>(code_at(from + r * bytes, i, bits) - zero) * scale;
    }
  }
  return out;
}

namespace reference {

/// Inputs a, codes [N, blocks, bytes], scales [N, blocks], zero points (packed, or floats; the
/// middle code where absent), none, bias. Attributes K, N, bits, block_size.
std::vector<Tensor> matmul_nbits(const OpCall& call) {
  const Tensor& a = call.input(0);
  const Tensor product = matmul(call, a.to_float32(), nbits_weight(call));
  if (call.optional(5) == nullptr) return {from_float32(call, product, a.dtype())};
  const Tensor bias = call.input(5).to_float32();
  return {from_float32(call, add_row(call, product, &bias), a.dtype())};
}

/// Inputs a, codes (two a byte, the first in the high bits), one scale a block. Attributes K, N,
/// block_size, quant_type: 0 FP4, 1 NF4.
std::vector<Tensor> matmul_bnb4(const OpCall& call) {
  const Tensor& a = call.input(0);
  return {from_float32(call, matmul(call, a.to_float32(), bnb4_weight(call)), a.dtype())};
}

/// Inputs table of uint8 codes, indices, scales, zero points (packed; the middle code where
/// absent).
std::vector<Tensor> gather_block_quantized(const OpCall& call) {
  const Tensor table = block_table(call);
  const Tensor out = call_op(call, "Gather", {&table, &call.input(1)},
                             {{"axis", call.attributes().int_or("gather_axis", 0)}});
  return {from_float32(call, out, call.input(2).dtype())};
}

}  // namespace reference
}  // namespace octavo::ops
