// What the references of the ai.octavo domain share: which tokens of a batch are kept, and the
// shape of per-token inputs.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "ops/reference.h"

namespace octavo::ops {

/// An attention mask [batch, sequence] as booleans; every token is kept where the input is absent.
/// Fails for a mask of another shape or of a float type.
inline std::vector<bool> kept_tokens(const OpCall& call, const Tensor* mask, std::int64_t batch,
                                     std::int64_t sequence) {
  const auto count = static_cast<std::size_t>(batch * sequence);
  if (mask == nullptr) return std::vector<bool>(count, true);
  if (mask->shape() != Shape{batch, sequence} || dtype_is_float(mask->dtype())) {
    call.fail("the attention mask does not fit the tokens",
              "integers or bools of shape " + shape_to_string(Shape{batch, sequence}),
              dtype_text(mask->dtype()) + " of shape " + shape_to_string(mask->shape()));
  }
  std::vector<bool> kept(count);
  const std::vector<std::int64_t> values = mask->to_int64s();
  for (std::size_t i = 0; i < count; ++i) kept[i] = values[i] != 0;
  return kept;
}

/// Float32 heads of x [batch, sequence, heads * head_size]; fails for anything else.
struct HeadShape {
  std::int64_t batch, sequence, heads, head_size;
};
inline HeadShape head_shape(const OpCall& call, const Tensor& x) {
  require_rank(call, x, 3);
  const std::int64_t heads = call.attributes().require_int("num_heads");
  if (x.dtype() != DType::kFloat32 || heads < 1 || x.dim(2) % heads != 0) {
    call.fail("an input is not a list of heads",
              "float32, a last dimension that num_heads " + std::to_string(heads) + " divides",
              dtype_text(x.dtype()) + " of shape " + shape_to_string(x.shape()));
  }
  return {x.dim(0), x.dim(1), heads, x.dim(2) / heads};
}

}  // namespace octavo::ops
