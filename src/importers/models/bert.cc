// BERT (Devlin et al., 2018): BertModel, BertForSequenceClassification.
#include "importers/models/encoder.h"
#include "importers/models/families.h"

namespace octavo::importers {

void build_bert(Builder& builder) {
  builder.require_option("position_embedding_type", "absolute");
  builder.require_flag("is_decoder", false);
  builder.find_prefix("bert.", "embeddings.word_embeddings.weight");
  const EncoderShape shape = bert_shape(builder);
  const std::string e = "embeddings.";
  const auto words = builder.embedding(e + "word_embeddings", builder.size("vocab_size"),
                                       shape.hidden, builder.input_ids());
  builder.attention_mask();
  const auto types =
      builder.embedding(e + "token_type_embeddings", builder.size_or("type_vocab_size", 2),
                        shape.hidden, builder.token_type_ids());
  const auto positions =
      builder.embedding(e + "position_embeddings", builder.size("max_position_embeddings"),
                        shape.hidden, builder.position_ids(-1));
  auto x = builder.add(builder.add(words, types, e + "words_types"), positions, e + "sum");
  x = builder.layer_norm(x, e + "LayerNorm", shape.hidden, shape.epsilon);
  x = encoder_layers(builder, x, shape, bert_names());
  const std::int64_t labels = builder.labels();
  if (labels == 0) return finish_encoder(builder, x, shape.hidden);
  const auto first = builder.first_token(x, "pooler.first_token");
  const auto pooled =
      builder.activation(builder.linear(first, "pooler.dense", shape.hidden, shape.hidden), "tanh",
                         "pooler.activation");
  builder.find_prefix("", "classifier.weight");
  finish_classifier(builder, builder.linear(pooled, "classifier", shape.hidden, labels), labels);
}

}  // namespace octavo::importers
