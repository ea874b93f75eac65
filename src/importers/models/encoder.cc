#include "importers/models/encoder.h"

namespace octavo::importers {

using ir::ValueId;

EncoderShape bert_shape(const Builder& builder) {
  return {.layers = builder.size("num_hidden_layers"),
          .hidden = builder.size("hidden_size"),
          .heads = builder.size("num_attention_heads"),
          .intermediate = builder.size("intermediate_size"),
          .epsilon = builder.config().double_or("layer_norm_eps", 1e-12),
          .activation = builder.config().string_or("hidden_act", "gelu")};
}

EncoderNames bert_names() {
  return {.layer = "encoder.layer.",
          .query = "attention.self.query",
          .key = "attention.self.key",
          .value = "attention.self.value",
          .attention_output = "attention.output.dense",
          .attention_norm = "attention.output.LayerNorm",
          .up = "intermediate.dense",
          .down = "output.dense",
          .output_norm = "output.LayerNorm"};
}

ValueId encoder_layers(Builder& builder, ValueId x, const EncoderShape& shape,
                       const EncoderNames& names, ValueId relative_bias) {
  const std::int64_t hidden = shape.hidden;
  if (hidden % shape.heads != 0) {
    builder.config().fail("the hidden size is not a multiple of the number of heads",
                          "a multiple of " + std::to_string(shape.heads), std::to_string(hidden));
  }
  const AttentionOptions options{
      .heads = shape.heads, .head_size = hidden / shape.heads, .relative_bias = relative_bias};
  for (std::int64_t i = 0; i < shape.layers; ++i) {
    const std::string layer = names.layer + std::to_string(i) + ".";
    const ValueId q = builder.linear(x, layer + names.query, hidden, hidden);
    const ValueId k = builder.linear(x, layer + names.key, hidden, hidden);
    const ValueId v = builder.linear(x, layer + names.value, hidden, hidden);
    const ValueId context = builder.attention(q, k, v, options, layer + "attention");
    const ValueId attended =
        builder.linear(context, layer + names.attention_output, hidden, hidden);
    x = builder.layer_norm(builder.add(attended, x, layer + "attention.residual"),
                           layer + names.attention_norm, hidden, shape.epsilon);
    const ValueId up = builder.linear(x, layer + names.up, hidden, shape.intermediate);
    const ValueId active = builder.activation(up, shape.activation, layer + "activation");
    const ValueId down = builder.linear(active, layer + names.down, shape.intermediate, hidden);
    x = builder.layer_norm(builder.add(down, x, layer + "output.residual"),
                           layer + names.output_norm, hidden, shape.epsilon);
  }
  return x;
}

void finish_encoder(Builder& builder, ValueId x, std::int64_t hidden) {
  builder.output(x, "last_hidden_state",
                 {{.symbol = "batch"}, {.symbol = "sequence"}, {.value = hidden}});
}

void finish_classifier(Builder& builder, ValueId logits, std::int64_t labels) {
  builder.output(logits, "logits", {{.symbol = "batch"}, {.value = labels}});
}

}  // namespace octavo::importers
