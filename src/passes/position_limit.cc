#include "passes/position_limit.h"

#include <algorithm>

#include "octavo/error.h"
#include "passes/pass.h"

namespace octavo::passes {
namespace {

/// Leaves of the graph what looks rows of tables up by computed indices; false where nothing does.
bool keep_lookups(ir::Graph& graph) {
  std::vector<ir::Graph::Output> sums;
  for (const ir::NodeId id : graph.topological_order()) {
    const ir::Node& node = graph.node(id);
    const Tensor* table = node.is("Gather") ? graph.constant(node.input(0)) : nullptr;
    if (table == nullptr || table->rank() != 2 || graph.producer(node.input(1)) == nullptr) {
      continue;
    }
    // Lifting asks that rows are read by sums.
    const ir::ValueId rows = node.outputs[0];
    sums.push_back({"rows", graph.emit("Add", {rows, rows})});
  }
  graph.set_outputs(sums);
  graph.remove_dead();
  return !sums.empty();
}

}  // namespace

std::optional<std::size_t> position_limit(ir::Graph graph) {
  try {
    if (!keep_lookups(graph)) return std::nullopt;
    PassContext context(graph);
    lift_positions(graph, context);
  } catch (const Error&) {
    return std::nullopt;  // the run will report what matters
  }
  std::optional<std::size_t> limit;
  for (const ir::NodeId id : graph.topological_order()) {
    const ir::Node& node = graph.node(id);
    const Tensor* table = node.is("Gather") ? graph.constant(node.input(0)) : nullptr;
    const ir::Node* positions = table != nullptr ? graph.producer(node.input(1)) : nullptr;
    if (positions == nullptr || !positions->is("PositionIds", "ai.octavo")) continue;
    const std::int64_t padding = positions->attributes.int_or("padding_idx", -1);
    const std::int64_t first =
        padding < 0 ? positions->attributes.int_or("offset", 0) : padding + 1;
    if (first < 0 || first >= table->dim(0)) continue;
    const auto rows = static_cast<std::size_t>(table->dim(0) - first);
    limit = std::min(limit.value_or(rows), rows);
  }
  return limit;
}

}  // namespace octavo::passes
