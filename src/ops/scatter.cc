// ScatterElements and ScatterND, with their reductions.
#include <cstring>

#include "ops/indices.h"

namespace octavo::ops::reference {
namespace {

Tensor copy_of(const OpCall& call, const Tensor& x) {
  Tensor out = make_output(call, x.dtype(), x.shape());
  if (x.byte_size() != 0) std::memcpy(out.mutable_bytes(), x.bytes(), x.byte_size());
  return out;
}

// out[offsets[i / run] * run + i % run] takes updates[i].
void apply(const OpCall& call, Tensor& out, const Tensor& updates,
           const std::vector<std::size_t>& offsets, std::size_t run) {
  const std::string reduction = call.attributes().string_or("reduction", "none");
  const auto each = [&]<typename T>(Tag<T>, auto combine) {
    const auto from = updates.data<T>();
    const auto to = out.mutable_data<T>();
    for (std::size_t i = 0; i < from.size(); ++i) {
      T& target = to[offsets[i / run] * run + i % run];
      target = static_cast<T>(combine(target, from[i]));
    }
  };
  if (reduction == "none") {
    return dispatch_width(out.dtype(),
                          [&](auto tag) { each(tag, [](auto, auto update) { return update; }); });
  }
  dispatch_numbers(call, out.dtype(), [&]<typename T>(Tag<T> tag) {
    using C = Compute<T>;
    const auto as = [](T v) { return static_cast<Wrap<C>>(static_cast<C>(v)); };
    if (reduction == "add") return each(tag, [&](T x, T y) { return as(x) + as(y); });
    if (reduction == "mul") return each(tag, [&](T x, T y) { return as(x) * as(y); });
    if (reduction == "max") {
      return each(tag, [](T x, T y) { return static_cast<C>(x) < static_cast<C>(y) ? y : x; });
    }
    if (reduction == "min") {
      return each(tag, [](T x, T y) { return static_cast<C>(y) < static_cast<C>(x) ? y : x; });
    }
    call.fail("attribute 'reduction' is not known", "none, add, mul, max or min",
              "'" + reduction + "'");
  });
}

}  // namespace

std::vector<Tensor> scatter_elements(const OpCall& call) {
  const Tensor &data = call.input(0), &indices = call.input(1), &updates = call.input(2);
  const std::size_t axis = normalize_axis(call, call.attributes().int_or("axis", 0), data.rank());
  require_same_dtype(call, data, updates);
  if (indices.shape() != updates.shape()) {
    call.fail("updates and indices differ in shape", shape_to_string(indices.shape()),
              shape_to_string(updates.shape()));
  }
  const auto offsets = element_offsets(call, data, indices, axis);
  Tensor out = copy_of(call, data);
  apply(call, out, updates, offsets, 1);
  return {out};
}

std::vector<Tensor> scatter_nd(const OpCall& call) {
  const Tensor &data = call.input(0), &indices = call.input(1), &updates = call.input(2);
  require_same_dtype(call, data, updates);
  if (indices.rank() == 0 || static_cast<std::size_t>(indices.shape().back()) > data.rank()) {
    call.fail("the indices do not fit the data",
              "tuples of at most " + std::to_string(data.rank()) + " indices",
              shape_to_string(indices.shape()));
  }
  const auto width = static_cast<std::size_t>(indices.shape().back());
  Shape wanted(indices.shape().begin(), indices.shape().end() - 1);
  wanted.insert(wanted.end(), data.shape().begin() + static_cast<std::ptrdiff_t>(width),
                data.shape().end());
  if (updates.shape() != wanted) {
    call.fail("the updates do not fit data and indices", shape_to_string(wanted),
              shape_to_string(updates.shape()));
  }
  const std::size_t run = product(data.shape(), width, data.rank());
  const auto values = indices_of(call, indices);
  const std::size_t tuples = product(indices.shape(), 0, indices.rank() - 1);
  Tensor out = copy_of(call, data);
  if (updates.elements() == 0) return {out};
  std::vector<std::size_t> offsets(tuples);
  for (std::size_t i = 0; i < tuples; ++i) {
    offsets[i] = tuple_offset(call, data.shape(), std::span(values).subspan(i * width, width));
  }
  apply(call, out, updates, offsets, run);
  return {out};
}

}  // namespace octavo::ops::reference
