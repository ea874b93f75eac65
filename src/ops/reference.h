// What references share: checked outputs, axes, broadcasting and strided loops. Everything that
// comes from a model is checked here; a failure is Error(kInvalidFile) through OpCall::fail.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <vector>

#include "ops/element.h"
#include "ops/op.h"

namespace octavo::ops {

/// The largest tensor a reference makes.
inline constexpr std::size_t kMaxTensorBytes = std::size_t{1} << 32;

/// Whether a shape, its zero dimensions taken as 1, stays within kMaxTensorBytes.
bool is_possible(std::span<const std::int64_t> shape, DType dtype);
/// An uninitialised output; fails for negative dimensions and for more than kMaxTensorBytes.
Tensor make_output(const OpCall& call, DType dtype, Shape shape);
Tensor make_zeros(const OpCall& call, DType dtype, Shape shape);

std::string dtype_text(DType dtype);
void require_same_dtype(const OpCall& call, const Tensor& a, const Tensor& b);
void require_rank(const OpCall& call, const Tensor& x, std::size_t rank);
void require_float32(const OpCall& call, const Tensor& x);

/// An axis of [-rank, rank) as [0, rank).
std::size_t normalize_axis(const OpCall& call, std::int64_t axis, std::size_t rank);
/// As above for several axes, which must differ; sorted.
std::vector<std::size_t> normalize_axes(const OpCall& call, std::span<const std::int64_t> axes,
                                        std::size_t rank);
/// Integers of an input tensor (axes, shapes, starts): 0-D or 1-D.
std::vector<std::int64_t> integers(const OpCall& call, const Tensor& tensor);
/// The one element of an integer input.
std::int64_t integer(const OpCall& call, const Tensor& tensor);
/// The one element of any numeric input.
double number(const OpCall& call, const Tensor& tensor);

/// Product of dims[first, last).
std::size_t product(std::span<const std::int64_t> dims, std::size_t first, std::size_t last);

/// A tensor as [outer, axis, inner].
struct Split3 {
  std::size_t outer, axis, inner;
};
Split3 split_at(const Shape& shape, std::size_t axis);

using Strides = std::vector<std::int64_t>;
Strides row_major(std::span<const std::int64_t> shape);  // in elements

/// N tensors read along one shape: a stride per axis, 0 where an operand is repeated.
struct Walk {
  Shape shape;
  std::vector<Strides> strides;
};
/// NumPy's multidirectional broadcasting.
Walk broadcast(const OpCall& call, std::initializer_list<const Tensor*> tensors);
Shape broadcast_shapes(const OpCall& call, const Shape& a, const Shape& b);
/// Strides with which `from` is read along the larger shape `to` it broadcasts to.
Strides broadcast_strides(const Shape& from, const Shape& to);

/// row(first index in row-major order, offset of each operand, step of each operand, count) for
/// every run along the last axis.
template <std::size_t N, typename Row>
void for_rows(const Walk& walk, Row&& row) {
  const std::size_t rank = walk.shape.size();
  for (const std::int64_t dim : walk.shape) {
    if (dim == 0) return;
  }
  std::array<std::int64_t, N> at{}, step{};
  const auto count = rank == 0 ? std::int64_t{1} : walk.shape.back();
  if (rank != 0) {
    for (std::size_t n = 0; n < N; ++n) step[n] = walk.strides[n].back();
  }
  Shape index(rank, 0);
  for (std::size_t done = 0;; done += static_cast<std::size_t>(count)) {
    row(done, at, step, static_cast<std::size_t>(count));
    std::size_t axis = rank == 0 ? 0 : rank - 1;
    for (;; --axis) {
      if (axis == 0) return;
      const std::size_t a = axis - 1;
      for (std::size_t n = 0; n < N; ++n) at[n] += walk.strides[n][a];
      if (++index[a] < walk.shape[a]) break;
      index[a] = 0;
      for (std::size_t n = 0; n < N; ++n) at[n] -= walk.strides[n][a] * walk.shape[a];
    }
  }
}

/// A new tensor of `shape` whose element at i is in[offset + sum(i * strides)].
Tensor strided_copy(const OpCall& call, const Tensor& in, Shape shape, std::int64_t offset,
                    Strides strides);

/// f over pairs of broadcast elements; both inputs have element type In, the result Out.
template <typename In, typename Out, typename F>
Tensor map_pairs(const OpCall& call, const Tensor& a, const Tensor& b, DType dtype, F f) {
  const Walk walk = broadcast(call, {&a, &b});
  Tensor out = make_output(call, dtype, walk.shape);
  const In* x = a.data<In>().data();
  const In* y = b.data<In>().data();
  Out* z = out.mutable_data<Out>().data();
  using C = Compute<In>;
  for_rows<2>(walk, [&](std::size_t first, const auto& at, const auto& step, std::size_t count) {
    const In* p = x + at[0];
    const In* q = y + at[1];
    Out* r = z + first;
    if (step[0] == 1 && step[1] == 1) {
      for (std::size_t i = 0; i < count; ++i) r[i] = static_cast<Out>(f(C(p[i]), C(q[i])));
    } else if (step[0] == 1) {
      for (std::size_t i = 0; i < count; ++i) r[i] = static_cast<Out>(f(C(p[i]), C(*q)));
    } else if (step[1] == 1) {
      for (std::size_t i = 0; i < count; ++i) r[i] = static_cast<Out>(f(C(*p), C(q[i])));
    } else {
      for (std::size_t i = 0; i < count; ++i) r[i] = static_cast<Out>(f(C(*p), C(*q)));
    }
  });
  return out;
}

/// f over elements of type T, which stay of type T.
template <typename T, typename F>
Tensor map_elements(const OpCall& call, const Tensor& in, F f) {
  Tensor out = make_output(call, in.dtype(), in.shape());
  const auto x = in.data<T>();
  const auto y = out.mutable_data<T>();
  for (std::size_t i = 0; i < x.size(); ++i) y[i] = static_cast<T>(f(Compute<T>(x[i])));
  return out;
}

/// f over the elements of input 0, which must be of a float type.
template <typename F>
std::vector<Tensor> map_floats(const OpCall& call, F f) {
  const Tensor& x = call.input(0);
  return {dispatch_floats(call, x.dtype(),
                          [&]<typename T>(Tag<T>) { return map_elements<T>(call, x, f); })};
}

}  // namespace octavo::ops
