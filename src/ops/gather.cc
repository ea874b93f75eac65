// Gather, GatherElements, GatherND, Compress, NonZero, ReverseSequence. An index outside its axis
// is an error.
#include <algorithm>
#include <cstring>

#include "ops/indices.h"
#include "ops/reference.h"

namespace octavo::ops {

std::vector<std::int64_t> indices_of(const OpCall& call, const Tensor& tensor) {
  if (tensor.dtype() != DType::kInt64 && tensor.dtype() != DType::kInt32) {
    fail_dtype(call, tensor.dtype(), "int64 or int32");
  }
  return tensor.to_int64s();
}

std::size_t checked_index(const OpCall& call, std::int64_t index, std::int64_t dim) {
  if (index < -dim || index >= dim) {
    call.fail("an index is out of range",
              "an index of [" + std::to_string(-dim) + ", " + std::to_string(dim) + ")",
              std::to_string(index));
  }
  return static_cast<std::size_t>(index < 0 ? index + dim : index);
}

std::vector<std::size_t> element_offsets(const OpCall& call, const Tensor& data,
                                         const Tensor& indices, std::size_t axis) {
  require_rank(call, indices, data.rank());
  for (std::size_t a = 0; a < data.rank(); ++a) {
    if (a != axis && indices.dim(a) > data.dim(a)) {
      call.fail("the indices reach past the data", shape_to_string(data.shape()),
                shape_to_string(indices.shape()));
    }
  }
  Walk walk{indices.shape(), {row_major(data.shape())}};
  const auto along = static_cast<std::size_t>(walk.strides[0][axis]);
  walk.strides[0][axis] = 0;
  const auto at_axis = indices_of(call, indices);
  std::vector<std::size_t> out(at_axis.size());
  for_rows<1>(walk, [&](std::size_t first, const auto& at, const auto& step, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      out[first + i] = static_cast<std::size_t>(at[0] + static_cast<std::int64_t>(i) * step[0]) +
                       checked_index(call, at_axis[first + i], data.dim(axis)) * along;
    }
  });
  return out;
}

std::size_t tuple_offset(const OpCall& call, const Shape& dims,
                         std::span<const std::int64_t> tuple) {
  std::size_t out = 0;
  for (std::size_t i = 0; i < tuple.size(); ++i) {
    out = out * static_cast<std::size_t>(dims[i]) + checked_index(call, tuple[i], dims[i]);
  }
  return out;
}

namespace reference {

std::vector<Tensor> gather(const OpCall& call) {
  const Tensor &data = call.input(0), &indices = call.input(1);
  const std::size_t axis = normalize_axis(call, call.attributes().int_or("axis", 0), data.rank());
  const Split3 split = split_at(data.shape(), axis);
  Shape shape(data.shape().begin(), data.shape().begin() + static_cast<std::ptrdiff_t>(axis));
  shape.insert(shape.end(), indices.shape().begin(), indices.shape().end());
  shape.insert(shape.end(), data.shape().begin() + static_cast<std::ptrdiff_t>(axis) + 1,
               data.shape().end());
  Tensor out = make_output(call, data.dtype(), shape);
  std::vector<std::size_t> rows;
  for (const std::int64_t i : indices_of(call, indices)) {
    rows.push_back(checked_index(call, i, data.dim(axis)));
  }
  const std::size_t bytes = split.inner * dtype_size(data.dtype());
  if (out.elements() == 0) return {out};
  std::byte* to = out.mutable_bytes();
  for (std::size_t o = 0; o < split.outer; ++o) {
    for (const std::size_t row : rows) {
      std::memcpy(to, data.bytes() + (o * split.axis + row) * bytes, bytes);
      to += bytes;
    }
  }
  return {out};
}

std::vector<Tensor> gather_elements(const OpCall& call) {
  const Tensor &data = call.input(0), &indices = call.input(1);
  const std::size_t axis = normalize_axis(call, call.attributes().int_or("axis", 0), data.rank());
  const auto offsets = element_offsets(call, data, indices, axis);
  Tensor out = make_output(call, data.dtype(), indices.shape());
  dispatch_width(data.dtype(), [&]<typename T>(Tag<T>) {
    const auto from = data.data<T>();
    const auto to = out.mutable_data<T>();
    for (std::size_t i = 0; i < to.size(); ++i) to[i] = from[offsets[i]];
  });
  return {out};
}

std::vector<Tensor> gather_nd(const OpCall& call) {
  const Tensor &data = call.input(0), &indices = call.input(1);
  const std::int64_t batch_dims = call.attributes().int_or("batch_dims", 0);
  if (indices.rank() == 0 || data.rank() == 0 || batch_dims < 0 ||
      static_cast<std::size_t>(batch_dims) >= std::min(indices.rank(), data.rank())) {
    call.fail("attribute 'batch_dims' does not fit", "fewer than the dimensions of both inputs",
              std::to_string(batch_dims));
  }
  const auto b = static_cast<std::size_t>(batch_dims);
  const auto width = static_cast<std::size_t>(indices.shape().back());
  if (b + width > data.rank() ||
      !std::equal(data.shape().begin(), data.shape().begin() + batch_dims,
                  indices.shape().begin())) {
    call.fail("the indices do not fit the data", shape_to_string(data.shape()),
              shape_to_string(indices.shape()));
  }
  Shape shape(indices.shape().begin(), indices.shape().end() - 1);
  shape.insert(shape.end(), data.shape().begin() + static_cast<std::ptrdiff_t>(b + width),
               data.shape().end());
  Tensor out = make_output(call, data.dtype(), shape);
  if (out.elements() == 0) return {out};
  const Shape dims(data.shape().begin() + batch_dims,
                   data.shape().begin() + static_cast<std::ptrdiff_t>(b + width));
  const std::size_t inner = product(data.shape(), b + width, data.rank());
  const std::size_t bytes = inner * dtype_size(data.dtype());
  const std::size_t block = product(data.shape(), b, b + width);
  const std::size_t tuples = product(indices.shape(), b, indices.rank() - 1);
  const std::size_t batches = product(indices.shape(), 0, b);
  const auto values = indices_of(call, indices);
  for (std::size_t i = 0; i < batches * tuples; ++i) {
    const std::size_t at = (i / tuples) * block +
                           tuple_offset(call, dims, std::span(values).subspan(i * width, width));
    std::memcpy(out.mutable_bytes() + i * bytes, data.bytes() + at * bytes, bytes);
  }
  return {out};
}

/// Rows of the axis (or of the flattened input) whose condition is true.
std::vector<Tensor> compress(const OpCall& call) {
  const Tensor& condition = call.input(1);
  Tensor x = call.input(0);
  std::size_t axis = 0;
  if (call.attributes().find("axis") != nullptr) {
    axis = normalize_axis(call, call.attributes().int_or("axis", 0), x.rank());
  } else {
    x = x.reshaped({static_cast<std::int64_t>(x.elements())});
  }
  if (condition.dtype() != DType::kBool) fail_dtype(call, condition.dtype(), "bool");
  require_rank(call, condition, 1);
  std::vector<std::size_t> rows;
  const auto keep = condition.data<std::uint8_t>();
  if (condition.dim(0) > x.dim(axis)) {
    call.fail("the condition is longer than its axis", std::to_string(x.dim(axis)),
              std::to_string(condition.dim(0)));
  }
  for (std::size_t i = 0; i < keep.size(); ++i) {
    if (keep[i] != 0) rows.push_back(i);
  }
  const Split3 split = split_at(x.shape(), axis);
  Shape shape = x.shape();
  shape[axis] = static_cast<std::int64_t>(rows.size());
  Tensor out = make_output(call, x.dtype(), shape);
  const std::size_t bytes = split.inner * dtype_size(x.dtype());
  if (out.elements() == 0) return {out};
  std::byte* to = out.mutable_bytes();
  for (std::size_t o = 0; o < split.outer; ++o) {
    for (const std::size_t row : rows) {
      std::memcpy(to, x.bytes() + (o * split.axis + row) * bytes, bytes);
      to += bytes;
    }
  }
  return {out};
}

/// Coordinates of the elements that are not zero, [rank, count].
std::vector<Tensor> non_zero(const OpCall& call) {
  const Tensor& x = call.input(0);
  std::vector<std::size_t> found;
  dispatch_all(call, x.dtype(), [&]<typename T>(Tag<T>) {
    const auto from = x.data<T>();
    for (std::size_t i = 0; i < from.size(); ++i) {
      if (static_cast<Compute<T>>(from[i]) != Compute<T>{}) found.push_back(i);
    }
  });
  Tensor out =
      make_output(call, DType::kInt64,
                  {static_cast<std::int64_t>(x.rank()), static_cast<std::int64_t>(found.size())});
  const auto to = out.mutable_data<std::int64_t>();
  const Strides strides = row_major(x.shape());
  for (std::size_t a = 0; a < x.rank(); ++a) {
    for (std::size_t i = 0; i < found.size(); ++i) {
      to[a * found.size() + i] = static_cast<std::int64_t>(found[i]) / strides[a] % x.dim(a);
    }
  }
  return {out};
}

/// The first sequence_lens[b] steps of every sequence, reversed.
std::vector<Tensor> reverse_sequence(const OpCall& call) {
  const Tensor &x = call.input(0), &lengths = call.input(1);
  const std::int64_t batch_axis = call.attributes().int_or("batch_axis", 1);
  const std::int64_t time_axis = call.attributes().int_or("time_axis", 0);
  if (x.rank() < 2 || batch_axis + time_axis != 1 || batch_axis < 0 || time_axis < 0) {
    call.fail("the axes of a batch of sequences do not fit", "time and batch on axes 0 and 1",
              shape_to_string(x.shape()));
  }
  const std::int64_t batch = x.dim(static_cast<std::size_t>(batch_axis));
  const std::int64_t time = x.dim(static_cast<std::size_t>(time_axis));
  const auto counts = integers(call, lengths);
  if (static_cast<std::int64_t>(counts.size()) != batch) {
    call.fail("sequence_lens does not fit the batch", std::to_string(batch),
              std::to_string(counts.size()));
  }
  Tensor out = make_output(call, x.dtype(), x.shape());
  if (out.elements() == 0) return {out};
  const std::size_t bytes = product(x.shape(), 2, x.rank()) * dtype_size(x.dtype());
  for (std::int64_t b = 0; b < batch; ++b) {
    const std::int64_t length = counts[static_cast<std::size_t>(b)];
    if (length < 0 || length > time) {
      call.fail("a sequence length is out of range", "0 to " + std::to_string(time),
                std::to_string(length));
    }
    for (std::int64_t t = 0; t < time; ++t) {
      const std::int64_t source = t < length ? length - 1 - t : t;
      const auto row = [&](std::int64_t step) {
        return static_cast<std::size_t>(time_axis == 0 ? step * batch + b : b * time + step) *
               bytes;
      };
      std::memcpy(out.mutable_bytes() + row(t), x.bytes() + row(source), bytes);
    }
  }
  return {out};
}

}  // namespace reference
}  // namespace octavo::ops
