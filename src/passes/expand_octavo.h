// Writes the operators of ai.octavo out in standard ones (opset 21), as graphs have to be for other
// engines. The opposite of what lifting does.
#pragma once

#include "ir/graph.h"

namespace octavo::passes {

/// Replaces every ai.octavo.Attention, RotaryEmbedding and PositionIds by nodes that give the same
/// at kept tokens of any batch, left-padded rows included, as long as attention_mask holds 0 and 1.
/// What they give at padded tokens is finite and otherwise unspecified. Sizes stay dynamic. Dead
/// nodes are removed. Throws Error(kInvalidFile) for a node without num_heads.
void expand_octavo(ir::Graph& graph);

}  // namespace octavo::passes
