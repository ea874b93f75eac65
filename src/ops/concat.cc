// Concat, Split, Pad, Trilu.
#include <algorithm>
#include <cstring>

#include "ops/reference.h"

namespace octavo::ops::reference {

std::vector<Tensor> concat(const OpCall& call) {
  const Tensor& first = call.input(0);
  const std::size_t axis =
      normalize_axis(call, call.attributes().require_int("axis"), first.rank());
  Shape shape = first.shape();
  shape[axis] = 0;
  for (std::size_t i = 0; i < call.inputs.size(); ++i) {
    const Tensor& x = call.input(i);
    require_same_dtype(call, first, x);
    Shape rest = x.shape();
    if (rest.size() == shape.size()) rest[axis] = shape[axis];
    if (rest != shape) {
      call.fail("inputs differ beside the axis they are joined on", shape_to_string(first.shape()),
                shape_to_string(x.shape()));
    }
    shape[axis] += x.dim(axis);
  }
  Tensor out = make_output(call, first.dtype(), shape);
  const std::size_t outer = product(shape, 0, axis);
  const std::size_t inner = product(shape, axis + 1, shape.size()) * dtype_size(out.dtype());
  const std::size_t row = inner * static_cast<std::size_t>(shape[axis]);
  std::size_t offset = 0;
  for (const Tensor* x : call.inputs) {
    const std::size_t part = inner * static_cast<std::size_t>(x->dim(axis));
    if (part == 0) continue;
    for (std::size_t o = 0; o < outer; ++o) {
      std::memcpy(out.mutable_bytes() + o * row + offset, x->bytes() + o * part, part);
    }
    offset += part;
  }
  return {out};
}

/// Sizes from input 1, or num_outputs (as many as the node has) parts of which the last may be
/// smaller.
std::vector<Tensor> split(const OpCall& call) {
  const Tensor& x = call.input(0);
  const std::size_t axis = normalize_axis(call, call.attributes().int_or("axis", 0), x.rank());
  const std::int64_t dim = x.dim(axis);
  std::vector<std::int64_t> sizes;
  if (const Tensor* given = call.optional(1)) {
    sizes = integers(call, *given);
  } else {
    const auto parts = static_cast<std::int64_t>(call.node.outputs.size());
    if (parts == 0) call.fail("Split has no outputs", "1 or more");
    const std::int64_t part = (dim + parts - 1) / parts;
    std::int64_t left = dim;
    for (std::int64_t i = 0; i < parts; ++i) {
      sizes.push_back(std::min(part, left));
      left -= sizes.back();
    }
  }
  std::int64_t total = 0;
  for (const std::int64_t size : sizes) {
    if (size < 0 || __builtin_add_overflow(total, size, &total)) total = -1;
    if (total < 0) break;
  }
  if (total != dim) {
    call.fail("the parts do not add up to the dimension", std::to_string(dim),
              shape_to_string(sizes));
  }
  std::vector<Tensor> out;
  const Strides strides = row_major(x.shape());
  std::int64_t offset = 0;
  for (const std::int64_t size : sizes) {
    Shape shape = x.shape();
    shape[axis] = size;
    out.push_back(strided_copy(call, x, std::move(shape), offset * strides[axis], strides));
    offset += size;
  }
  return out;
}

namespace {

// The source index of position `at` - `before` along an axis of `dim` elements; -1 for the
// constant.
std::int64_t pad_source(const std::string& mode, std::int64_t at, std::int64_t dim) {
  if (at >= 0 && at < dim) return at;
  if (mode == "constant" || dim == 0) return -1;
  if (mode == "edge") return at < 0 ? 0 : dim - 1;
  if (mode == "wrap") return (at % dim + dim) % dim;
  if (dim == 1) return 0;
  const std::int64_t period = 2 * (dim - 1);
  const std::int64_t phase = (at % period + period) % period;
  return phase < dim ? phase : period - phase;
}

}  // namespace

/// Inputs data, pads, value, axes; negative pads cut.
std::vector<Tensor> pad(const OpCall& call) {
  const Tensor& x = call.input(0);
  const std::string mode = call.attributes().string_or("mode", "constant");
  if (mode != "constant" && mode != "edge" && mode != "wrap" && mode != "reflect") {
    call.fail("attribute 'mode' is not known", "constant, edge, wrap or reflect", "'" + mode + "'");
  }
  const auto pads = integers(call, call.input(1));
  std::vector<std::int64_t> axes;
  if (const Tensor* given = call.optional(3)) {
    axes = integers(call, *given);
    normalize_axes(call, axes, x.rank());
  } else {
    for (std::size_t i = 0; i < x.rank(); ++i) axes.push_back(static_cast<std::int64_t>(i));
  }
  if (pads.size() != 2 * axes.size()) {
    call.fail("Pad needs two numbers for every axis", std::to_string(2 * axes.size()),
              std::to_string(pads.size()));
  }
  Shape shape = x.shape();
  std::vector<std::int64_t> before(x.rank(), 0);
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const std::size_t axis = normalize_axis(call, axes[i], x.rank());
    before[axis] = pads[i];
    if (__builtin_add_overflow(shape[axis], pads[i], &shape[axis]) ||
        __builtin_add_overflow(shape[axis], pads[i + axes.size()], &shape[axis]) ||
        std::min(pads[i], pads[i + axes.size()]) < -x.dim(axis)) {
      call.fail("a number of pads is not possible", {}, shape_to_string(pads));
    }
  }
  const Tensor* value = call.optional(2);
  if (value != nullptr && value->elements() != 0) {
    require_same_dtype(call, x, *value);
  } else {
    value = nullptr;
  }
  Tensor out = make_output(call, x.dtype(), shape);
  if (out.elements() == 0) return {out};
  const Strides strides = row_major(x.shape());
  dispatch_width(x.dtype(), [&]<typename T>(Tag<T>) {
    const T fill = value != nullptr ? value->data<T>()[0] : T{0};
    const T* from = x.data<T>().data();
    Shape index(x.rank(), 0);
    for (T& to : out.mutable_data<T>()) {
      std::int64_t offset = 0;
      for (std::size_t a = 0; a < index.size() && offset >= 0; ++a) {
        const std::int64_t source = pad_source(mode, index[a] - before[a], x.dim(a));
        offset = source < 0 ? -1 : offset + source * strides[a];
      }
      to = offset < 0 ? fill : from[offset];
      for (std::size_t a = index.size(); a-- > 0;) {
        if (++index[a] < shape[a]) break;
        index[a] = 0;
      }
    }
  });
  return {out};
}

/// The upper (default) or lower triangle of the last two axes; the rest is 0.
std::vector<Tensor> trilu(const OpCall& call) {
  const Tensor& x = call.input(0);
  if (x.rank() < 2)
    call.fail("a matrix is expected", "2 dimensions or more", shape_to_string(x.shape()));
  const bool upper = call.attributes().int_or("upper", 1) != 0;
  const std::int64_t k = call.optional(1) != nullptr ? integer(call, call.input(1)) : 0;
  const auto rows = static_cast<std::size_t>(x.dim(x.rank() - 2));
  const auto columns = static_cast<std::size_t>(x.dim(x.rank() - 1));
  // Beyond these every element is on one side.
  const std::int64_t shift =
      std::clamp(k, -static_cast<std::int64_t>(rows) - 1, static_cast<std::int64_t>(columns) + 1);
  Tensor out = make_output(call, x.dtype(), x.shape());
  dispatch_width(x.dtype(), [&]<typename T>(Tag<T>) {
    const auto from = x.data<T>();
    const auto to = out.mutable_data<T>();
    for (std::size_t i = 0; i < to.size(); ++i) {
      const auto column = static_cast<std::int64_t>(i % columns);
      const auto row = static_cast<std::int64_t>(i / columns % rows);
      const bool keep = upper ? column - row >= shift : column - row <= shift;
      to[i] = keep ? from[i] : T{0};
    }
  });
  return {out};
}

}  // namespace octavo::ops::reference
