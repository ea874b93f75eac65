// What the references of com.microsoft operators share. Most of them are a few standard operators
// in a row, and say so by calling their references.
#pragma once

#include <initializer_list>
#include <string_view>
#include <utility>
#include <vector>

#include "ops/matmul.h"
#include "ops/reference.h"

namespace octavo::ops {

/// The first output of a standard operator on tensors of this call; a failure names this node.
Tensor call_op(const OpCall& call, std::string_view op, std::vector<const Tensor*> inputs,
               std::initializer_list<std::pair<const char*, ir::Attribute>> attributes = {});

/// Fails unless `row` has one element for each of x's last dimension.
void require_row(const OpCall& call, const Tensor& x, const Tensor& row);
/// x plus a row of its last dimension; x itself where the row is absent.
Tensor add_row(const OpCall& call, const Tensor& x, const Tensor* row);

/// An 8-bit matrix in float32: (x - zero_point) * scale, both scalars or one an element of `axis`.
Tensor dequantized(const OpCall& call, const Tensor& x, const Tensor& scale,
                   const Tensor* zero_point, std::size_t axis);
/// x in steps of one scale, to the type of the zero point (uint8 where it is absent).
Tensor quantized(const OpCall& call, const Tensor& x, const Tensor& scale,
                 const Tensor* zero_point);
/// int32 sums of (a - a_zero)(b - b_zero) as float32, times a_scale (one number) and b_scale (one,
/// or one a column), plus an optional bias row.
Tensor scaled_product(const OpCall& call, const Tensor& a, const Tensor& b, const Tensor& a_scale,
                      const Tensor& b_scale, const Tensor* a_zero, const Tensor* b_zero,
                      const Tensor* bias);

}  // namespace octavo::ops
