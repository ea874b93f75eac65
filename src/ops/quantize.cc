// QuantizeLinear, DequantizeLinear (per tensor, per axis, blocked), DynamicQuantizeLinear and
// QLinearMatMul. Rounding is to nearest even, results saturate.
#include <algorithm>
#include <cmath>

#include "ops/matmul.h"
#include "ops/reference.h"

namespace octavo::ops {
namespace {

template <typename T>
T saturate(double value) {
  const double low = std::numeric_limits<T>::min(), high = std::numeric_limits<T>::max();
  return value != value ? T{0} : static_cast<T>(std::clamp(value, low, high));
}

// How an element of x finds its scale: along [outer, axis, inner] of x the scale has
// [outer, axis / block, inner] elements (blocked), axis ones, or a single one.
struct ScaleMap {
  Split3 split{1, 1, 1};
  std::size_t block = 0;  // 0: not blocked
  bool per_tensor = true;

  std::size_t at(std::size_t outer, std::size_t axis, std::size_t inner) const {
    if (per_tensor) return 0;
    if (block == 0) return axis;
    const std::size_t blocks = (split.axis + block - 1) / block;
    return (outer * blocks + axis / block) * split.inner + inner;
  }
};

ScaleMap map_scale(const OpCall& call, const Tensor& x, const Tensor& scale) {
  ScaleMap map;
  const std::int64_t block = call.attributes().int_or("block_size", 0);
  if (block < 0)
    call.fail("attribute 'block_size' is negative", "0 or more", std::to_string(block));
  if (scale.elements() == 1 && (scale.rank() == 0 || block == 0)) {
    map.split = {1, 1, x.elements()};
    return map;
  }
  map.per_tensor = false;
  const std::size_t axis = normalize_axis(call, call.attributes().int_or("axis", 1), x.rank());
  map.split = split_at(x.shape(), axis);
  Shape wanted{x.dim(axis)};
  if (block != 0) {
    map.block = static_cast<std::size_t>(block);
    wanted = x.shape();
    wanted[axis] = static_cast<std::int64_t>((map.split.axis + map.block - 1) / map.block);
  }
  if (scale.shape() != wanted) {
    call.fail("the scale does not fit the tensor", shape_to_string(wanted),
              shape_to_string(scale.shape()));
  }
  return map;
}

void check_zero_point(const OpCall& call, const Tensor& scale, const Tensor* zero_point) {
  if (zero_point != nullptr && zero_point->elements() != scale.elements()) {
    call.fail("the zero point does not fit the scale", shape_to_string(scale.shape()),
              shape_to_string(zero_point->shape()));
  }
}

// f(element, scale) for every element in order.
template <typename F>
void for_scaled(const ScaleMap& map, F f) {
  std::size_t at = 0;
  if (map.split.axis == 0 || map.split.inner == 0) return;
  for (std::size_t o = 0; o < map.split.outer; ++o) {
    for (std::size_t a = 0; a < map.split.axis; ++a) {
      for (std::size_t i = 0; i < map.split.inner; ++i) f(at++, map.at(o, a, i));
    }
  }
}

template <typename F>
void dispatch_quantized(const OpCall& call, DType dtype, F f) {
  switch (dtype) {
    case DType::kUint8: return f(Tag<std::uint8_t>{});
    case DType::kInt8: return f(Tag<std::int8_t>{});
    case DType::kUint16: return f(Tag<std::uint16_t>{});
    case DType::kInt16: return f(Tag<std::int16_t>{});
    default: fail_dtype(call, dtype, "int8, uint8, int16 or uint16");
  }
}

}  // namespace

namespace reference {

std::vector<Tensor> quantize_linear(const OpCall& call) {
  const Tensor &x = call.input(0), &scale = call.input(1);
  const Tensor* zero_point = call.optional(2);
  const ScaleMap map = map_scale(call, x, scale);
  check_zero_point(call, scale, zero_point);
  DType dtype = zero_point != nullptr ? zero_point->dtype() : DType::kUint8;
  if (const std::int64_t wanted = call.attributes().int_or("output_dtype", 0); wanted != 0) {
    const auto known = dtype_from_onnx(wanted);
    if (!known || (zero_point != nullptr && *known != dtype)) {
      call.fail("attribute 'output_dtype' does not fit", dtype_text(dtype), std::to_string(wanted));
    }
    dtype = *known;
  }
  if (dtype_is_float(scale.dtype()) == false) fail_dtype(call, scale.dtype(), "a float type");
  const Tensor values = x.to_float32(), scales = scale.to_float32();
  const auto from = values.data<float>(), by = scales.data<float>();
  Tensor out = make_output(call, dtype, x.shape());
  dispatch_quantized(call, dtype, [&]<typename T>(Tag<T>) {
    const auto to = out.mutable_data<T>();
    const T* zero = zero_point != nullptr ? zero_point->data<T>().data() : nullptr;
    for_scaled(map, [&](std::size_t i, std::size_t s) {
      const double rounded = std::nearbyint(static_cast<double>(from[i] / by[s]));
      to[i] = saturate<T>(rounded + (zero != nullptr ? zero[s] : 0));
    });
  });
  return {out};
}

/// (x - zero_point) * scale in the scale's type; x may also be int32, without zero point.
std::vector<Tensor> dequantize_linear(const OpCall& call) {
  const Tensor &x = call.input(0), &scale = call.input(1);
  const Tensor* zero_point = call.optional(2);
  const ScaleMap map = map_scale(call, x, scale);
  check_zero_point(call, scale, zero_point);
  if (zero_point != nullptr) require_same_dtype(call, x, *zero_point);
  DType dtype = scale.dtype();
  if (const std::int64_t wanted = call.attributes().int_or("output_dtype", 0); wanted != 0) {
    const auto known = dtype_from_onnx(wanted);
    if (!known || !dtype_is_float(*known)) {
      call.fail("attribute 'output_dtype' does not fit", "a float type", std::to_string(wanted));
    }
    dtype = *known;
  }
  if (!dtype_is_float(dtype)) fail_dtype(call, dtype, "a float type");
  const Tensor scales = scale.to_float32();
  const auto by = scales.data<float>();
  Tensor out = make_output(call, DType::kFloat32, x.shape());
  const auto to = out.mutable_data<float>();
  const auto run = [&]<typename T>(Tag<T>) {
    const auto from = x.data<T>();
    const T* zero = zero_point != nullptr ? zero_point->data<T>().data() : nullptr;
    for_scaled(map, [&](std::size_t i, std::size_t s) {
      const std::int64_t steps = std::int64_t{from[i]} - (zero != nullptr ? zero[s] : 0);
      to[i] = static_cast<float>(steps) * by[s];
    });
  };
  if (x.dtype() == DType::kInt32) {
    run(Tag<std::int32_t>{});
  } else {
    dispatch_quantized(call, x.dtype(), run);
  }
  return {from_float32(call, out, dtype)};
}

/// uint8 over the range of x stretched to hold zero; outputs y, scale, zero point.
std::vector<Tensor> dynamic_quantize_linear(const OpCall& call) {
  const Tensor& x = call.input(0);
  if (x.dtype() != DType::kFloat32) fail_dtype(call, x.dtype(), "float32");
  const auto from = x.data<float>();
  float low = 0, high = 0;
  for (const float v : from) {
    low = std::min(low, v);
    high = std::max(high, v);
  }
  const float scale = high == low ? 1.0f : (high - low) / 255.0f;
  const auto zero =
      saturate<std::uint8_t>(std::nearbyint(static_cast<double>((0.0f - low) / scale)));
  Tensor out = make_output(call, DType::kUint8, x.shape());
  const auto to = out.mutable_data<std::uint8_t>();
  for (std::size_t i = 0; i < to.size(); ++i) {
    to[i] = saturate<std::uint8_t>(std::nearbyint(static_cast<double>(from[i] / scale)) + zero);
  }
  return {out, Tensor::scalar<float>(scale), Tensor::scalar<std::uint8_t>(zero)};
}

/// Inputs a, a_scale, a_zero_point, b, b_scale, b_zero_point, y_scale, y_zero_point: scalars, or
/// one a row of a, one a column of b, one a row of y.
std::vector<Tensor> qlinear_matmul(const OpCall& call) {
  const Tensor &a = call.input(0), &b = call.input(3), &zero = call.input(7);
  if (a.rank() < 2 || b.rank() < 2) call.fail("a matrix is expected", "2 dimensions or more");
  const Tensor left = centered(call, a, call.optional(2), a.rank() - 2);
  const Tensor right = centered(call, b, call.optional(5), b.rank() - 1);
  const Tensor product = matmul(call, left, right);
  const auto rows = static_cast<std::size_t>(product.dim(product.rank() - 2));
  const auto columns = static_cast<std::size_t>(product.dim(product.rank() - 1));
  const auto scales = [&](std::size_t i, std::size_t count) {
    Tensor s = call.input(i).to_float32();
    if (s.elements() != 1 && s.elements() != count) {
      call.fail("a scale does not fit its matrix", "1 element or " + std::to_string(count),
                shape_to_string(s.shape()));
    }
    return s;
  };
  const Tensor sa = scales(1, rows), sb = scales(4, columns), sy = scales(6, rows);
  if (zero.elements() != sy.elements()) {
    call.fail("the zero point does not fit the scale", shape_to_string(sy.shape()),
              shape_to_string(zero.shape()));
  }
  const auto pick = [](const Tensor& s, std::size_t i) {
    return static_cast<double>(s.data<float>()[s.elements() == 1 ? 0 : i]);
  };
  const auto zeros = zero.to_int64s();
  Tensor out = make_output(call, zero.dtype(), product.shape());
  dispatch_quantized(call, zero.dtype(), [&]<typename T>(Tag<T>) {
    const auto from = product.data<std::int32_t>();
    const auto to = out.mutable_data<T>();
    for (std::size_t i = 0; i < to.size(); ++i) {
      const std::size_t row = i / columns % rows;
      const double value = from[i] * (pick(sa, row) * pick(sb, i % columns) / pick(sy, row));
      to[i] = saturate<T>(std::nearbyint(value) +
                          static_cast<double>(zeros[zeros.size() == 1 ? 0 : row]));
    }
  });
  return {out};
}

}  // namespace reference
}  // namespace octavo::ops
