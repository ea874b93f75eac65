// Which output of a graph a task reads.
#pragma once

#include <string>

#include "ir/graph.h"

namespace octavo::tasks {

struct OutputChoice {
  std::string name;
  bool pooled = false;  // one row a sequence: the model pools by itself
};

/// Leaves `graph` with one output: the token rows (`last_hidden_state`, `token_embeddings`, or the
/// first of rank 3), or a pooled one (`sentence_embedding`, `text_embeds`, or the first of rank 2)
/// where there is none or `prefer_pooled`. kUnsupported when no output will do.
OutputChoice keep_embedding_output(ir::Graph& graph, bool prefer_pooled);
/// The same for a cross-encoder: `logits`, or the first output of rank 2.
OutputChoice keep_logits_output(ir::Graph& graph);

}  // namespace octavo::tasks
