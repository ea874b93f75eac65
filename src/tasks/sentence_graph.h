// Pooling, dense layers and normalisation as part of a graph, for engines that do not know
// sentence-transformers' files.
#pragma once

#include <optional>
#include <string>

#include "ir/graph.h"
#include "octavo/embedder.h"
#include "tasks/model_files.h"

namespace octavo::tasks {

struct SentenceOptions {
  std::optional<Pooling> pooling{};  // absent values: as the model's files say
  std::optional<bool> normalize{};
};

/// Leaves `graph` with two outputs: `token_embeddings` [batch, sequence, width] float32, the token
/// rows it had, and `sentence_embedding` [batch, dimensions], what Embedder makes of them. Padding
/// may be on either side; a row without tokens gives zeros. Returns the poolings' names joined with
/// '+'. Throws kInvalidArgument where neither the files nor the options name a pooling,
/// kUnsupported for a model that has no token rows or no attention_mask, or whose pooling leaves
/// out the prompt.
std::string add_sentence_embedding(ir::Graph& graph, const ModelFiles& files,
                                   const SentenceOptions& options);

}  // namespace octavo::tasks
