// What `octavo optimize` does to a graph before it is written: the passes that make it smaller, and
// the fused operators of onnxruntime (com.microsoft).
#pragma once

#include <span>

#include "passes/pipeline.h"

namespace octavo::passes {

/// fold_constants() that leaves quantised weights as they are stored: what is written is to be
/// quantised still.
void fold_unquantized(ir::Graph& graph, PassContext& context);

/// In the order they run; a name may stand in several rows.
///   level 1: constants, identities, equal nodes, shapes; LayerNormalization and Gelu from their
///   parts level 2: attention, positions and first token lifted, then the fused operators
std::span<const Pass> optimizer_passes();

/// Runs the rows of the levels up to options.level; 0: none. Outputs stay what they were at kept
/// tokens, for padding on the right and, where the graph defines it, on the left. What is left of
/// ai.octavo has to be written out before the graph becomes ONNX. Errors as run_pipeline().
std::vector<PassReport> optimize_graph(ir::Graph& graph, const PipelineOptions& options);

}  // namespace octavo::passes
