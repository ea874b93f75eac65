// ai.octavo.PositionIds: the row of the position table for each token.
//
// Inputs: input_ids [batch, sequence] of an integer type, attention_mask of the same shape or
// absent. Output: int64, the same shape. Attributes padding_idx (-1: none) and offset (0).
//   without padding_idx: offset + index among the kept tokens of the row (masked tokens: offset)
//   with it (RoBERTa):   padding_idx + c where c counts the kept ids that differ from padding_idx
//                        so far, this one included; padding_idx for a masked or padding token
#include "ops/octavo_tokens.h"

namespace octavo::ops::reference {

std::vector<Tensor> octavo_position_ids(const OpCall& call) {
  const Tensor& input_ids = call.input(0);
  require_rank(call, input_ids, 2);
  if (dtype_is_float(input_ids.dtype())) {
    call.fail("token ids must be integers", "an integer type", dtype_text(input_ids.dtype()));
  }
  const std::int64_t batch = input_ids.dim(0), sequence = input_ids.dim(1);
  const std::int64_t padding_idx = call.attributes().int_or("padding_idx", -1);
  const std::int64_t offset = call.attributes().int_or("offset", 0);
  const std::vector<bool> kept = kept_tokens(call, call.optional(1), batch, sequence);
  const std::vector<std::int64_t> ids = input_ids.to_int64s();
  Tensor out = make_output(call, DType::kInt64, input_ids.shape());
  const auto positions = out.mutable_data<std::int64_t>();
  std::size_t token = 0;
  for (std::int64_t b = 0; b < batch; ++b) {
    std::int64_t count = 0;
    for (std::int64_t i = 0; i < sequence; ++i, ++token) {
      if (padding_idx < 0) {
        positions[token] = offset + (kept[token] ? count++ : 0);
      } else {
        const bool counts = kept[token] && ids[token] != padding_idx;
        positions[token] = padding_idx + (counts ? ++count : 0);
      }
    }
  }
  return {std::move(out)};
}

}  // namespace octavo::ops::reference
