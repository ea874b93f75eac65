// The post-norm encoder that BERT began and DistilBERT, RoBERTa, XLM-RoBERTa and MPNet share: it is
// described by data, the families differ in names and details.
#pragma once

#include <string>

#include "importers/models/builder.h"

namespace octavo::importers {

struct EncoderShape {
  std::int64_t layers, hidden, heads, intermediate;
  double epsilon;
  std::string activation;
};

/// Names of one layer's parts, below the layer's own prefix.
struct EncoderNames {
  std::string layer;  // "encoder.layer."
  std::string query, key, value, attention_output, attention_norm, up, down, output_norm;
};

/// Reads hidden_size, num_hidden_layers, num_attention_heads, intermediate_size, layer_norm_eps,
/// hidden_act.
EncoderShape bert_shape(const Builder& builder);
EncoderNames bert_names();

/// Layers on top of the embeddings `x` [batch, sequence, hidden].
ir::ValueId encoder_layers(Builder& builder, ir::ValueId x, const EncoderShape& shape,
                           const EncoderNames& names, ir::ValueId relative_bias = ir::kNoValue);

/// Ends the graph: `last_hidden_state`.
void finish_encoder(Builder& builder, ir::ValueId x, std::int64_t hidden);
/// Ends the graph: `logits`.
void finish_classifier(Builder& builder, ir::ValueId logits, std::int64_t labels);

}  // namespace octavo::importers
