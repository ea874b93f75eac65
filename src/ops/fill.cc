// Ops that make tensors from little: ConstantOfShape, Range, EyeLike, OneHot.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "octavo/error.h"
#include "ops/reference.h"

namespace octavo::ops::reference {

std::vector<Tensor> constant_of_shape(const OpCall& call) {
  const Tensor value =
      call.attributes().tensor("value").value_or(Tensor::vector<float>(std::vector<float>{0}));
  if (value.elements() != 1) {
    call.fail("attribute 'value' must be one number", "1 element", shape_to_string(value.shape()));
  }
  Tensor out = make_output(call, value.dtype(), integers(call, call.input(0)));
  dispatch_width(value.dtype(), [&]<typename T>(Tag<T>) {
    std::ranges::fill(out.mutable_data<T>(), value.data<T>()[0]);
  });
  return {out};
}

std::vector<Tensor> range(const OpCall& call) {
  const Tensor &start = call.input(0), &limit = call.input(1), &delta = call.input(2);
  require_same_dtype(call, start, limit);
  require_same_dtype(call, start, delta);
  const double first = number(call, start), last = number(call, limit), step = number(call, delta);
  if (step == 0 || step != step) call.fail("a range has no step", "a delta other than 0", "0");
  return {dispatch_numbers(call, start.dtype(), [&]<typename T>(Tag<T>) {
    double count = std::max(std::ceil((last - first) / step), 0.0);
    if constexpr (std::is_integral_v<T>) {
      // The distance as an unsigned number: a double cannot hold all 64 bits.
      const T a = start.data<T>()[0], b = limit.data<T>()[0], d = delta.data<T>()[0];
      using U = std::uint64_t;
      const bool up = step > 0;
      const U gap =
          up ? static_cast<U>(b) - static_cast<U>(a) : static_cast<U>(a) - static_cast<U>(b);
      const U by = up ? static_cast<U>(d) : U{0} - static_cast<U>(d);
      const bool empty = up ? b <= a : b >= a;
      count = empty ? 0.0 : static_cast<double>((gap - 1) / by + 1);
    }
    if (!(count <= static_cast<double>(kMaxTensorBytes))) {
      call.fail("a range is too long", "at most " + std::to_string(kMaxTensorBytes) + " bytes");
    }
    Tensor out = make_output(call, start.dtype(), {static_cast<std::int64_t>(count)});
    const auto to = out.mutable_data<T>();
    using C = Compute<T>;
    const C a = static_cast<C>(start.data<T>()[0]), d = static_cast<C>(delta.data<T>()[0]);
    for (std::size_t i = 0; i < to.size(); ++i) {
      to[i] = static_cast<T>(static_cast<C>(static_cast<Wrap<C>>(a) +
                                            static_cast<Wrap<C>>(i) * static_cast<Wrap<C>>(d)));
    }
    return out;
  })};
}

std::vector<Tensor> eye_like(const OpCall& call) {
  const Tensor& x = call.input(0);
  require_rank(call, x, 2);
  const std::int64_t number_of = call.attributes().int_or("dtype", static_cast<int>(x.dtype()));
  const auto dtype = dtype_from_onnx(number_of);
  if (!dtype) call.fail("attribute 'dtype' is not known", {}, std::to_string(number_of));
  const std::int64_t k = call.attributes().int_or("k", 0);
  Tensor out = make_zeros(call, *dtype, x.shape());
  dispatch_all(call, *dtype, [&]<typename T>(Tag<T>) {
    const auto to = out.mutable_data<T>();
    if (k <= -x.dim(0) || k >= x.dim(1)) return;
    for (std::int64_t row = std::max<std::int64_t>(0, -k); row < x.dim(0) && row + k < x.dim(1);
         ++row) {
      to[static_cast<std::size_t>(row * x.dim(1) + row + k)] = static_cast<T>(1);
    }
  });
  return {out};
}

/// Inputs indices, depth, values [off, on]; an index outside [-depth, depth) sets nothing.
std::vector<Tensor> one_hot(const OpCall& call) {
  const Tensor &indices = call.input(0), &values = call.input(2);
  const auto depth = float_to_int<std::int64_t>(number(call, call.input(1)));
  if (depth < 0) call.fail("the depth is negative", "0 or more", std::to_string(depth));
  if (values.elements() != 2) {
    call.fail("the values must be two", "[off, on]", shape_to_string(values.shape()));
  }
  const std::size_t axis =
      normalize_axis(call, call.attributes().int_or("axis", -1), indices.rank() + 1);
  Shape shape = indices.shape();
  shape.insert(shape.begin() + static_cast<std::ptrdiff_t>(axis), depth);
  const std::size_t inner = product(indices.shape(), axis, indices.rank());
  std::vector<std::int64_t> at;
  if (dtype_is_float(indices.dtype())) {
    for (const float v : indices.to_float32().data<float>()) {
      at.push_back(float_to_int<std::int64_t>(v));
    }
  } else {
    at = indices.to_int64s();
  }
  Tensor out = make_output(call, values.dtype(), shape);
  dispatch_width(values.dtype(), [&]<typename T>(Tag<T>) {
    const T off = values.data<T>()[0], on = values.data<T>()[1];
    const auto to = out.mutable_data<T>();
    std::ranges::fill(to, off);
    for (std::size_t i = 0; i < at.size(); ++i) {
      const std::int64_t index = at[i] < 0 ? at[i] + depth : at[i];
      if (index < 0 || index >= depth) continue;
      const auto row =
          (i / inner) * static_cast<std::size_t>(depth) + static_cast<std::size_t>(index);
      to[row * inner + i % inner] = on;
    }
  });
  return {out};
}

}  // namespace octavo::ops::reference
