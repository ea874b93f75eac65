// RoBERTa (Liu et al., 2019) and XLM-RoBERTa (Conneau et al., 2020), as encoders and
// ...ForSequenceClassification. They are BERT with positions counted from padding_idx + 1 over the
// tokens that are not padding, and another head.
#include "importers/models/encoder.h"
#include "importers/models/families.h"

namespace octavo::importers {
namespace {

void build(Builder& builder) {
  builder.require_option("position_embedding_type", "absolute");
  builder.require_flag("is_decoder", false);
  builder.find_prefix("roberta.", "embeddings.word_embeddings.weight");
  const EncoderShape shape = bert_shape(builder);
  const std::int64_t padding_idx = builder.config().int_or("pad_token_id", 1);
  const std::string e = "embeddings.";
  const auto words = builder.embedding(e + "word_embeddings", builder.size("vocab_size"),
                                       shape.hidden, builder.input_ids());
  builder.attention_mask();
  // Callers give no token types: the only row is added to every token.
  const std::int64_t types = builder.size_or("type_vocab_size", 1);
  const auto table = builder.weight(e + "token_type_embeddings.weight", {types, shape.hidden});
  const auto type_row = builder.graph().emit(
      "Gather", {table, builder.constant(e + "token_type", Tensor::scalar<std::int64_t>(0))}, {},
      "", e + "type_row");
  const auto positions =
      builder.embedding(e + "position_embeddings", builder.size("max_position_embeddings"),
                        shape.hidden, builder.position_ids(padding_idx));
  auto x = builder.add(builder.add(words, type_row, e + "words_types"), positions, e + "sum");
  x = builder.layer_norm(x, e + "LayerNorm", shape.hidden, shape.epsilon);
  x = encoder_layers(builder, x, shape, bert_names());
  const std::int64_t labels = builder.labels();
  if (labels == 0) return finish_encoder(builder, x, shape.hidden);
  builder.find_prefix("", "classifier.dense.weight");
  const auto first = builder.first_token(x, "classifier.first_token");
  const auto hidden =
      builder.activation(builder.linear(first, "classifier.dense", shape.hidden, shape.hidden),
                         "tanh", "classifier.activation");
  finish_classifier(builder, builder.linear(hidden, "classifier.out_proj", shape.hidden, labels),
                    labels);
}

}  // namespace

void build_roberta(Builder& builder) { build(builder); }
void build_xlm_roberta(Builder& builder) { build(builder); }

}  // namespace octavo::importers
