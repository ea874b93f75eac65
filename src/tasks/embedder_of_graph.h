// An Embedder of a model whose graph was changed in memory, with the tokenizer and pooling of the
// model's files.
#pragma once

#include <functional>
#include <string>

#include "ir/graph.h"
#include "octavo/embedder.h"

namespace octavo {

struct EmbedderOfGraph {
  /// As Embedder::load(), but `edit`, where there is one, gets the imported graph first.
  /// options.runtime.plan_cache must be empty then: a kept plan knows nothing of it.
  static Embedder load(const std::string& model, const EmbedderOptions& options,
                       const std::function<void(ir::Graph&)>& edit);
};

}  // namespace octavo
