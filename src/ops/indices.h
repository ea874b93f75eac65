// Indices of the gather and scatter ops, checked against what they index.
#pragma once

#include "ops/reference.h"

namespace octavo::ops {

/// Elements of an int32 or int64 tensor.
std::vector<std::int64_t> indices_of(const OpCall& call, const Tensor& tensor);

/// An index of [-dim, dim) as [0, dim); an error otherwise.
std::size_t checked_index(const OpCall& call, std::int64_t index, std::int64_t dim);

/// For GatherElements and ScatterElements: the offset in `data` of every element of `indices`.
std::vector<std::size_t> element_offsets(const OpCall& call, const Tensor& data,
                                         const Tensor& indices, std::size_t axis);

/// Row-major offset of one index tuple in `dims`.
std::size_t tuple_offset(const OpCall& call, const Shape& dims,
                         std::span<const std::int64_t> tuple);

}  // namespace octavo::ops
