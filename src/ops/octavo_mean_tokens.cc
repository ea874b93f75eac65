// ai.octavo.MeanTokens(x, attention_mask) -> y: the mean of the kept tokens of each row.
//
// x float32 [batch, sequence, C]; attention_mask [batch, sequence] of integers or bools, or absent:
// every token is kept. y float32 [batch, C]; zeros for a row that keeps no token.
#include "ops/octavo_tokens.h"

namespace octavo::ops::reference {

std::vector<Tensor> octavo_mean_tokens(const OpCall& call) {
  const Tensor& x = call.input(0);
  require_rank(call, x, 3);
  require_float32(call, x);
  const std::int64_t batch = x.dim(0), sequence = x.dim(1), width = x.dim(2);
  const std::vector<bool> kept = kept_tokens(call, call.optional(1), batch, sequence);
  Tensor out = make_output(call, DType::kFloat32, {batch, width});
  const auto from = x.data<float>();
  const auto to = out.mutable_data<float>();
  const auto columns = static_cast<std::size_t>(width);
  std::vector<double> sums(columns);
  std::size_t token = 0;
  for (std::size_t b = 0; b < static_cast<std::size_t>(batch); ++b) {
    std::fill(sums.begin(), sums.end(), 0.0);
    std::size_t count = 0;
    for (std::int64_t s = 0; s < sequence; ++s, ++token) {
      if (!kept[token]) continue;
      ++count;
      for (std::size_t c = 0; c < columns; ++c) sums[c] += from[token * columns + c];
    }
    for (std::size_t c = 0; c < columns; ++c) {
      to[b * columns + c] =
          count == 0 ? 0.0f : static_cast<float>(sums[c] / static_cast<double>(count));
    }
  }
  return {std::move(out)};
}

}  // namespace octavo::ops::reference
