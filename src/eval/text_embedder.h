// An Embedder as the evaluations and the search see it.
#pragma once

#include "eval/embed_texts.h"
#include "octavo/embedder.h"

namespace octavo::eval {

/// Refers to `embedder`, which must outlive it.
TextEmbedder text_embedder(Embedder& embedder);

}  // namespace octavo::eval
