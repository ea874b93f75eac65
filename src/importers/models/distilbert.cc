// DistilBERT (Sanh et al., 2019): DistilBertModel, DistilBertForSequenceClassification.
#include "importers/models/encoder.h"
#include "importers/models/families.h"

namespace octavo::importers {

void build_distilbert(Builder& builder) {
  builder.find_prefix("distilbert.", "embeddings.word_embeddings.weight");
  const EncoderShape shape{.layers = builder.size("n_layers"),
                           .hidden = builder.size("dim"),
                           .heads = builder.size("n_heads"),
                           .intermediate = builder.size("hidden_dim"),
                           .epsilon = 1e-12,
                           .activation = builder.config().string_or("activation", "gelu")};
  const EncoderNames names{.layer = "transformer.layer.",
                           .query = "attention.q_lin",
                           .key = "attention.k_lin",
                           .value = "attention.v_lin",
                           .attention_output = "attention.out_lin",
                           .attention_norm = "sa_layer_norm",
                           .up = "ffn.lin1",
                           .down = "ffn.lin2",
                           .output_norm = "output_layer_norm"};
  const std::string e = "embeddings.";
  const auto words = builder.embedding(e + "word_embeddings", builder.size("vocab_size"),
                                       shape.hidden, builder.input_ids());
  const auto positions =
      builder.embedding(e + "position_embeddings", builder.size("max_position_embeddings"),
                        shape.hidden, builder.position_ids(-1));
  auto x = builder.layer_norm(builder.add(words, positions, e + "sum"), e + "LayerNorm",
                              shape.hidden, shape.epsilon);
  x = encoder_layers(builder, x, shape, names);
  const std::int64_t labels = builder.labels();
  if (labels == 0) return finish_encoder(builder, x, shape.hidden);
  builder.find_prefix("", "classifier.weight");
  const auto first = builder.first_token(x, "first_token");
  const auto hidden =
      builder.activation(builder.linear(first, "pre_classifier", shape.hidden, shape.hidden),
                         "relu", "pre_classifier.activation");
  finish_classifier(builder, builder.linear(hidden, "classifier", shape.hidden, labels), labels);
}

}  // namespace octavo::importers
