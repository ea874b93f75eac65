// Hugging Face checkpoint -> graph, for the model families of families.inc.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "formats/sharded_safetensors.h"
#include "ir/graph.h"

namespace octavo::importers {

/// Builds the graph of a checkpoint from `config.json` and its weights. Inputs: `input_ids`,
/// `attention_mask` and, where the family has them, `token_type_ids`, all int64 [batch, sequence].
/// Output: `last_hidden_state` [batch, sequence, hidden], or `logits` [batch, labels] when
/// `architectures` says ...ForSequenceClassification. Throws kUnsupported for an unknown
/// `model_type` or an option that is not implemented, kInvalidFile for a config that contradicts
/// itself or weights that are missing or of another shape.
ir::Graph import_hf(const JsonValue& config, const formats::TensorSource& weights);

/// The `model_type`s import_hf() knows.
std::vector<std::string_view> hf_families();

}  // namespace octavo::importers
