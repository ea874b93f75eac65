// ai.octavo.RotaryEmbedding: rotary position embedding, rotate-half form (Su et al., RoFormer,
// arXiv 2104.09864; halves as in GPT-NeoX).
//
//   angle = position * inv_freq[i],  i < D / 2
//   out[i] = x[i] cos(angle) - x[i + D/2] sin(angle)
//   out[i + D/2] = x[i + D/2] cos(angle) + x[i] sin(angle)
//
// Inputs: x [batch, sequence, num_heads * D] float32, inv_freq [D / 2] float32, attention_mask
// [batch, sequence] or absent. The position of a token is its index among the kept tokens of its
// row, 0 for a masked one. Attribute: num_heads.
#include <cmath>

#include "ops/octavo_tokens.h"

namespace octavo::ops::reference {

std::vector<Tensor> octavo_rotary_embedding(const OpCall& call) {
  const Tensor &x = call.input(0), &inv_freq = call.input(1);
  const HeadShape s = head_shape(call, x);
  const std::int64_t half = s.head_size / 2;
  if (s.head_size % 2 != 0 || inv_freq.dtype() != DType::kFloat32 ||
      inv_freq.shape() != Shape{half}) {
    call.fail("the frequencies do not fit the heads",
              "float32 of half the head size " + std::to_string(s.head_size),
              dtype_text(inv_freq.dtype()) + " of shape " + shape_to_string(inv_freq.shape()));
  }
  const std::vector<bool> kept = kept_tokens(call, call.optional(2), s.batch, s.sequence);
  Tensor out = make_output(call, DType::kFloat32, x.shape());
  const float* in = x.data<float>().data();
  float* to = out.mutable_data<float>().data();
  std::size_t token = 0;
  for (std::int64_t b = 0; b < s.batch; ++b) {
    std::int64_t next = 0;
    for (std::int64_t i = 0; i < s.sequence; ++i, ++token) {
      const auto position = static_cast<float>(kept[token] ? next++ : 0);
      for (std::int64_t n = 0; n < s.heads; ++n, in += s.head_size, to += s.head_size) {
        for (std::int64_t d = 0; d < half; ++d) {
          const float angle = position * inv_freq.data<float>()[static_cast<std::size_t>(d)];
          const float c = std::cos(angle), sn = std::sin(angle);
          to[d] = in[d] * c - in[d + half] * sn;
          to[d + half] = in[d + half] * c + in[d] * sn;
        }
      }
    }
  }
  return {std::move(out)};
}

}  // namespace octavo::ops::reference
