// Brings a graph as an exporter wrote it into the form that the packed plan runs: token-wise nodes,
// ai.octavo.Attention, RotaryEmbedding and PositionIds.
#pragma once

#include <string>
#include <vector>

#include "passes/pipeline.h"

namespace octavo::passes {

struct LiftReport {
  /// True when every node left is one that the packed plan has.
  bool lifted = false;
  /// Every near-miss of the passes ("pass: where: reason"), then what stands in the way.
  std::vector<std::string> notes;
  std::vector<PassReport> passes;
  double seconds = 0;
};

/// Keeps only the named outputs (all of them where the list is empty), in the order of the list,
/// and removes what they do not need. Error(kNotFound) for a name the graph does not have.
void keep_outputs(ir::Graph& graph, const std::vector<std::string>& names);

/// Runs the passes on the outputs that the graph has. Never fails because a graph cannot be lifted:
/// then `lifted` is false, and the graph still computes what it did at kept tokens.
LiftReport lift(ir::Graph& graph, const PipelineOptions& options = {});

/// The nodes that the packed plan does not have, one line each; empty when there are none.
std::vector<std::string> unliftable_nodes(const ir::Graph& graph);

}  // namespace octavo::passes
