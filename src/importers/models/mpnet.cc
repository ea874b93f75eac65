// MPNet (Song et al., 2020): BERT with T5's relative position bias, shared by all layers.
#include <algorithm>
#include <cmath>

#include "importers/models/encoder.h"
#include "importers/models/families.h"

namespace octavo::importers {
namespace {

constexpr std::int64_t kMaxDistance = 128;

/// T5's bidirectional bucket of a distance `key - query` (Raffel et al., 2020, section 2.1).
std::int64_t relative_bucket(std::int64_t distance, std::int64_t buckets) {
  const std::int64_t half = buckets / 2, exact = half / 2;
  const std::int64_t offset = distance > 0 ? half : 0;
  const std::int64_t n = std::abs(distance);
  if (n < exact) return offset + n;
  // In float32 as the reference computes it: at powers of two the exact quotient is an integer.
  const float scaled =
      std::log(static_cast<float>(n) / static_cast<float>(exact)) /
      static_cast<float>(std::log(static_cast<double>(kMaxDistance) / static_cast<double>(exact))) *
      static_cast<float>(half - exact);
  return offset + std::min(half - 1, exact + static_cast<std::int64_t>(scaled));
}

/// [heads, 2 * kMaxDistance + 1] by distance; beyond kMaxDistance every distance is in the last
/// bucket.
Tensor bias_by_distance(const Tensor& table, std::int64_t buckets, std::int64_t heads) {
  Tensor out(DType::kFloat32, {heads, 2 * kMaxDistance + 1});
  const auto in = table.data<float>();
  const auto values = out.mutable_data<float>();
  for (std::int64_t h = 0; h < heads; ++h) {
    for (std::int64_t d = -kMaxDistance; d <= kMaxDistance; ++d) {
      values[static_cast<std::size_t>(h * (2 * kMaxDistance + 1) + d + kMaxDistance)] =
          in[static_cast<std::size_t>(relative_bucket(d, buckets) * heads + h)];
    }
  }
  return out;
}

}  // namespace

void build_mpnet(Builder& builder) {
  builder.find_prefix("mpnet.", "embeddings.word_embeddings.weight");
  const EncoderShape shape = bert_shape(builder);
  const EncoderNames names{.layer = "encoder.layer.",
                           .query = "attention.attn.q",
                           .key = "attention.attn.k",
                           .value = "attention.attn.v",
                           .attention_output = "attention.attn.o",
                           .attention_norm = "attention.LayerNorm",
                           .up = "intermediate.dense",
                           .down = "output.dense",
                           .output_norm = "output.LayerNorm"};
  const std::string e = "embeddings.";
  const auto words = builder.embedding(e + "word_embeddings", builder.size("vocab_size"),
                                       shape.hidden, builder.input_ids());
  const auto positions = builder.embedding(
      e + "position_embeddings", builder.size("max_position_embeddings"), shape.hidden,
      builder.position_ids(builder.config().int_or("pad_token_id", 1)));
  auto x = builder.layer_norm(builder.add(words, positions, e + "sum"), e + "LayerNorm",
                              shape.hidden, shape.epsilon);
  const std::int64_t buckets = builder.size_or("relative_attention_num_buckets", 32);
  if (buckets < 4)
    builder.config().fail("too few relative attention buckets", "4 or more",
                          std::to_string(buckets));
  const auto table =
      builder.weight("encoder.relative_attention_bias.weight", {buckets, shape.heads});
  const auto bias =
      builder.constant("encoder.relative_attention_bias",
                       bias_by_distance(*builder.graph().constant(table), buckets, shape.heads));
  finish_encoder(builder, encoder_layers(builder, x, shape, names, bias), shape.hidden);
}

}  // namespace octavo::importers
