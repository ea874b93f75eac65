#include "ops/reference.h"

#include <algorithm>
#include <cstring>

#include "base/checked.h"

namespace octavo::ops {

void fail_dtype(const OpCall& call, DType dtype, std::string expected) {
  call.fail("the operator does not take this element type", std::move(expected), dtype_text(dtype));
}

std::string dtype_text(DType dtype) { return std::string(dtype_name(dtype)); }

bool is_possible(std::span<const std::int64_t> shape, DType dtype) {
  std::size_t bytes = dtype_size(dtype);
  for (const std::int64_t dim : shape) {
    if (dim < 0) return false;
    const auto next = checked_mul(bytes, static_cast<std::size_t>(std::max<std::int64_t>(dim, 1)));
    if (!next || *next > kMaxTensorBytes) return false;
    bytes = *next;
  }
  return true;
}

Tensor make_output(const OpCall& call, DType dtype, Shape shape) {
  if (!is_possible(shape, dtype)) {
    call.fail("the result has an impossible size",
              "dimensions of 0 or more and at most " + std::to_string(kMaxTensorBytes) + " bytes",
              shape_to_string(shape));
  }
  return Tensor(dtype, std::move(shape));
}

Tensor make_zeros(const OpCall& call, DType dtype, Shape shape) {
  Tensor out = make_output(call, dtype, std::move(shape));
  if (out.byte_size() != 0) std::memset(out.mutable_bytes(), 0, out.byte_size());
  return out;
}

void require_same_dtype(const OpCall& call, const Tensor& a, const Tensor& b) {
  if (a.dtype() != b.dtype()) {
    call.fail("inputs differ in element type", dtype_text(a.dtype()), dtype_text(b.dtype()));
  }
}

void require_rank(const OpCall& call, const Tensor& x, std::size_t rank) {
  if (x.rank() != rank) {
    call.fail("an input has the wrong number of dimensions", std::to_string(rank) + " dimensions",
              "shape " + shape_to_string(x.shape()));
  }
}

void require_float32(const OpCall& call, const Tensor& x) {
  if (x.dtype() != DType::kFloat32)
    call.fail("the input has the wrong element type", "float32",
              std::string(dtype_name(x.dtype())));
}

std::size_t normalize_axis(const OpCall& call, std::int64_t axis, std::size_t rank) {
  const auto r = static_cast<std::int64_t>(rank);
  if (axis < -r || axis >= r) {
    call.fail("an axis is out of range",
              "an axis of [" + std::to_string(-r) + ", " + std::to_string(r) + ")",
              std::to_string(axis));
  }
  return static_cast<std::size_t>(axis < 0 ? axis + r : axis);
}

std::vector<std::size_t> normalize_axes(const OpCall& call, std::span<const std::int64_t> axes,
                                        std::size_t rank) {
  std::vector<std::size_t> out;
  for (const std::int64_t axis : axes) out.push_back(normalize_axis(call, axis, rank));
  std::sort(out.begin(), out.end());
  if (std::adjacent_find(out.begin(), out.end()) != out.end()) {
    call.fail("an axis is named twice", "different axes", shape_to_string(axes));
  }
  return out;
}

std::vector<std::int64_t> integers(const OpCall& call, const Tensor& tensor) {
  if (dtype_is_float(tensor.dtype())) fail_dtype(call, tensor.dtype(), "an integer type");
  if (tensor.rank() > 1) {
    call.fail("an input must be a list of integers", "at most 1 dimension",
              "shape " + shape_to_string(tensor.shape()));
  }
  return tensor.to_int64s();
}

std::int64_t integer(const OpCall& call, const Tensor& tensor) {
  if (dtype_is_float(tensor.dtype())) fail_dtype(call, tensor.dtype(), "an integer type");
  if (tensor.elements() != 1) {
    call.fail("an input must be one integer", "1 element",
              "shape " + shape_to_string(tensor.shape()));
  }
  return tensor.to_int64s()[0];
}

double number(const OpCall& call, const Tensor& tensor) {
  if (tensor.elements() != 1) {
    call.fail("an input must be one number", "1 element",
              "shape " + shape_to_string(tensor.shape()));
  }
  if (tensor.dtype() == DType::kFloat64) return tensor.data<double>()[0];
  if (!dtype_is_float(tensor.dtype())) return static_cast<double>(tensor.to_int64s()[0]);
  return static_cast<double>(tensor.to_float32().data<float>()[0]);
}

std::size_t product(std::span<const std::int64_t> dims, std::size_t first, std::size_t last) {
  std::size_t out = 1;
  for (std::size_t i = first; i < last; ++i) out *= static_cast<std::size_t>(dims[i]);
  return out;
}

Split3 split_at(const Shape& shape, std::size_t axis) {
  return {product(shape, 0, axis), static_cast<std::size_t>(shape[axis]),
          product(shape, axis + 1, shape.size())};
}

Strides row_major(std::span<const std::int64_t> shape) {
  Strides out(shape.size());
  std::int64_t stride = 1;
  for (std::size_t i = shape.size(); i-- > 0;) {
    out[i] = stride;
    stride *= std::max<std::int64_t>(shape[i], 1);
  }
  return out;
}

Shape broadcast_shapes(const OpCall& call, const Shape& a, const Shape& b) {
  Shape out(std::max(a.size(), b.size()));
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::int64_t x = i < a.size() ? a[a.size() - 1 - i] : 1;
    const std::int64_t y = i < b.size() ? b[b.size() - 1 - i] : 1;
    if (x != y && x != 1 && y != 1) {
      call.fail("shapes do not broadcast", "a shape that broadcasts with " + shape_to_string(a),
                shape_to_string(b));
    }
    out[out.size() - 1 - i] = x == 1 ? y : x;
  }
  return out;
}

Strides broadcast_strides(const Shape& from, const Shape& to) {
  const Strides own = row_major(from);
  Strides out(to.size(), 0);
  const std::size_t lead = to.size() - from.size();
  for (std::size_t i = 0; i < from.size(); ++i) {
    if (from[i] != 1) out[lead + i] = own[i];
  }
  return out;
}

Walk broadcast(const OpCall& call, std::initializer_list<const Tensor*> tensors) {
  Walk walk;
  for (const Tensor* t : tensors) walk.shape = broadcast_shapes(call, walk.shape, t->shape());
  for (const Tensor* t : tensors) {
    walk.strides.push_back(broadcast_strides(t->shape(), walk.shape));
  }
  return walk;
}

Tensor strided_copy(const OpCall& call, const Tensor& in, Shape shape, std::int64_t offset,
                    Strides strides) {
  Tensor out = make_output(call, in.dtype(), shape);
  const Walk walk{std::move(shape), {std::move(strides)}};
  dispatch_width(in.dtype(), [&]<typename T>(Tag<T>) {
    const T* x = in.data<T>().data();
    T* y = out.mutable_data<T>().data();
    for_rows<1>(walk, [&](std::size_t first, const auto& at, const auto& step, std::size_t count) {
      const T* p = x + offset + at[0];
      if (step[0] == 1) {
        std::memcpy(y + first, p, count * sizeof(T));
      } else {
        for (std::size_t i = 0; i < count; ++i) {
          y[first + i] = p[static_cast<std::int64_t>(i) * step[0]];
        }
      }
    });
  });
  return out;
}

}  // namespace octavo::ops
