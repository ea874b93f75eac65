// MatMul, MatMulInteger and Gemm.
#include "ops/matmul.h"

#include "ops/reference.h"

namespace octavo::ops {

Tensor from_float32(const OpCall& call, const Tensor& x, DType dtype) {
  if (dtype == DType::kFloat32) return x;
  Tensor out = make_output(call, dtype, x.shape());
  dispatch_floats(call, dtype, [&]<typename T>(Tag<T>) {
    const auto from = x.data<float>();
    const auto to = out.mutable_data<T>();
    for (std::size_t i = 0; i < to.size(); ++i) to[i] = static_cast<T>(from[i]);
  });
  return out;
}

Tensor matmul(const OpCall& call, const Tensor& a, const Tensor& b) {
  require_same_dtype(call, a, b);
  if (a.dtype() == DType::kFloat16 || a.dtype() == DType::kBFloat16) {
    return from_float32(call, matmul(call, a.to_float32(), b.to_float32()), a.dtype());
  }
  if (a.rank() == 0 || b.rank() == 0) {
    call.fail("a matrix is expected", "1 dimension or more", "a scalar");
  }
  Shape left = a.shape(), right = b.shape();
  if (a.rank() == 1) left.insert(left.begin(), 1);
  if (b.rank() == 1) right.push_back(1);
  const std::int64_t m = left[left.size() - 2], k = left.back(), n = right.back();
  if (right[right.size() - 2] != k) {
    call.fail("the inner dimensions of a matrix product differ",
              std::to_string(k) + " rows, as " + shape_to_string(a.shape()) + " has columns",
              shape_to_string(b.shape()));
  }
  const Shape lead_left(left.begin(), left.end() - 2), lead_right(right.begin(), right.end() - 2);
  Walk walk{broadcast_shapes(call, lead_left, lead_right), {}};
  walk.strides = {broadcast_strides(lead_left, walk.shape),
                  broadcast_strides(lead_right, walk.shape)};
  Shape shape = walk.shape;
  if (a.rank() != 1) shape.push_back(m);
  if (b.rank() != 1) shape.push_back(n);
  Tensor out = make_zeros(call, a.dtype(), shape);
  if (out.elements() == 0) return out;
  const auto multiply = [&]<typename T>(Tag<T>) {
    const T* x = a.data<T>().data();
    const T* y = b.data<T>().data();
    T* z = out.mutable_data<T>().data();
    for_rows<2>(walk, [&](std::size_t first, const auto& at, const auto& step, std::size_t count) {
      for (std::size_t i = 0; i < count; ++i) {
        const auto p = static_cast<std::int64_t>(i);
        multiply_add(x + (at[0] + p * step[0]) * m * k, y + (at[1] + p * step[1]) * k * n,
                     z + (first + i) * static_cast<std::size_t>(m * n), static_cast<std::size_t>(m),
                     static_cast<std::size_t>(n), static_cast<std::size_t>(k));
      }
    });
  };
  switch (a.dtype()) {
    case DType::kFloat32: multiply(Tag<float>{}); break;
    case DType::kFloat64: multiply(Tag<double>{}); break;
    case DType::kInt32: multiply(Tag<std::int32_t>{}); break;
    case DType::kInt64: multiply(Tag<std::int64_t>{}); break;
    case DType::kUint32: multiply(Tag<std::uint32_t>{}); break;
    case DType::kUint64: multiply(Tag<std::uint64_t>{}); break;
    default: fail_dtype(call, a.dtype(), "a float type or integers of 32 or 64 bits");
  }
  return out;
}

Tensor centered(const OpCall& call, const Tensor& x, const Tensor* zero_point, std::size_t axis) {
  if (x.dtype() != DType::kUint8 && x.dtype() != DType::kInt8) {
    fail_dtype(call, x.dtype(), "uint8 or int8");
  }
  std::vector<std::int64_t> zero{0};
  if (zero_point != nullptr) {
    require_same_dtype(call, x, *zero_point);
    zero = zero_point->to_int64s();
  }
  const Split3 split = x.rank() == 0 ? Split3{1, 1, 1} : split_at(x.shape(), axis);
  if (zero.size() != 1 && zero.size() != split.axis) {
    call.fail("a zero point does not fit its matrix", "1 element or " + std::to_string(split.axis),
              std::to_string(zero.size()));
  }
  Tensor out = make_output(call, DType::kInt32, x.shape());
  const auto to = out.mutable_data<std::int32_t>();
  const auto run = [&]<typename T>(Tag<T>) {
    const auto from = x.data<T>();
    std::size_t at = 0;
    for (std::size_t o = 0; o < split.outer && at < from.size(); ++o) {
      for (std::size_t i = 0; i < split.axis; ++i) {
        const auto offset = static_cast<std::int32_t>(zero[zero.size() == 1 ? 0 : i]);
        for (std::size_t j = 0; j < split.inner; ++j, ++at) to[at] = from[at] - offset;
      }
    }
  };
  if (x.dtype() == DType::kUint8) {
    run(Tag<std::uint8_t>{});
  } else {
    run(Tag<std::int8_t>{});
  }
  return out;
}

namespace reference {

std::vector<Tensor> matmul(const OpCall& call) {
  return {ops::matmul(call, call.input(0), call.input(1))};
}

/// Zero points: of the left matrix a scalar or one a row, of the right one a scalar or one a
/// column.
std::vector<Tensor> matmul_integer(const OpCall& call) {
  const Tensor &a = call.input(0), &b = call.input(1);
  const Tensor left = centered(call, a, call.optional(2), a.rank() < 2 ? 0 : a.rank() - 2);
  const Tensor right = centered(call, b, call.optional(3), b.rank() == 0 ? 0 : b.rank() - 1);
  return {ops::matmul(call, left, right)};
}

/// alpha * A' * B' + beta * C, A' and B' transposed on request.
std::vector<Tensor> gemm(const OpCall& call) {
  const auto matrix = [&](std::size_t i, const char* transpose) {
    const Tensor& x = call.input(i);
    require_rank(call, x, 2);
    if (call.attributes().int_or(transpose, 0) == 0) return x;
    return strided_copy(call, x, {x.dim(1), x.dim(0)}, 0, {1, x.dim(1)});
  };
  Tensor out = ops::matmul(call, matrix(0, "transA"), matrix(1, "transB"));
  const float alpha = call.attributes().float_or("alpha", 1.0f);
  const float beta = call.attributes().float_or("beta", 1.0f);
  const Tensor* c = call.optional(2);
  if (c != nullptr) {
    require_same_dtype(call, out, *c);
    if (broadcast_shapes(call, out.shape(), c->shape()) != out.shape()) {
      call.fail("the third input does not broadcast to the product", shape_to_string(out.shape()),
                shape_to_string(c->shape()));
    }
  }
  dispatch_numbers(call, out.dtype(), [&]<typename T>(Tag<T>) {
    if (alpha != 1.0f) {
      out = map_elements<T>(call, out, [&]<typename C>(C x) {
        if constexpr (std::is_integral_v<C>) return convert<C>(alpha * static_cast<double>(x));
        return static_cast<C>(static_cast<C>(alpha) * x);
      });
    }
    if (c == nullptr) return;
    out = map_pairs<T, T>(call, out, *c, out.dtype(), [&]<typename C>(C x, C y) {
      if constexpr (std::is_integral_v<C>) {
        return static_cast<C>(static_cast<Wrap<C>>(x) +
                              static_cast<Wrap<C>>(convert<C>(beta * static_cast<double>(y))));
      } else {
        return x + static_cast<C>(beta) * y;
      }
    });
  });
  return {out};
}

}  // namespace reference
}  // namespace octavo::ops
