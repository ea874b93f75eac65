// Slices that cut a token value into adjacent parts become one Split, as torch.chunk is written by
// some exporters.
#include <algorithm>
#include <map>

#include "passes/pass.h"
#include "passes/token_values.h"

namespace octavo::passes {
namespace {

struct Part {
  std::int64_t begin = 0, end = 0;
  ir::NodeId node = ir::kNoNode;
};

/// The part that a Slice of the last axis with step 1 takes.
std::optional<Part> part_of(const ir::Graph& graph, ir::NodeId id, std::int64_t width) {
  const ir::Node& node = graph.node(id);
  const auto starts = integers_of(graph, node, 1, "starts");
  const auto ends = integers_of(graph, node, 2, "ends");
  const auto axes = integers_of(graph, node, 3, "axes");
  const auto steps = integers_of(graph, node, 4, "steps");
  const bool single = starts && ends && axes && starts->size() == 1 && ends->size() == 1 &&
                      axes->size() == 1 && ((*axes)[0] == -1 || (*axes)[0] == 2);
  if (!single || (steps && *steps != std::vector<std::int64_t>{1})) return std::nullopt;
  const auto bound = [&](std::int64_t at) {
    return std::clamp(at < 0 ? at + width : at, std::int64_t{0}, width);
  };
  return Part{bound((*starts)[0]), bound((*ends)[0]), id};
}

}  // namespace

void merge_slices(ir::Graph& graph, PassContext& context) {
  const Readers readers(graph);
  TokenValues tokens(graph);
  std::map<ir::ValueId, std::vector<ir::NodeId>> slices;
  for (const ir::NodeId id : graph.topological_order()) {
    const ir::Node& node = graph.node(id);
    if (node.is("Slice") && makes_one(node)) slices[node.input(0)].push_back(id);
  }
  for (const auto& [value, nodes] : slices) {
    const auto width = tokens.width(value);
    if (nodes.size() < 2 || !width || readers.is_output(value)) continue;
    std::vector<Part> parts;
    for (const ir::NodeId id : nodes) {
      if (const auto part = part_of(graph, id, *width)) parts.push_back(*part);
    }
    std::sort(parts.begin(), parts.end(),
              [](const Part& a, const Part& b) { return a.begin < b.begin; });
    std::int64_t covered = 0;
    std::vector<std::int64_t> sizes;
    for (const Part& part : parts) {
      if (part.begin != covered || part.end <= part.begin) break;
      covered = part.end;
      sizes.push_back(part.end - part.begin);
    }
    if (sizes.size() != nodes.size() || covered != *width) {
      context.near_miss("value '" + graph.value(value).name + "'",
                        "its slices leave a gap, or overlap");
      continue;
    }
    ir::Node split;
    split.op = "Split";
    split.name = graph.node(parts[0].node).name + ".split";
    split.attributes.set("axis", std::int64_t{-1});
    split.inputs = {value,
                    graph.add_constant(split.name + "/sizes", Tensor::vector<std::int64_t>(sizes))};
    for (const Part& part : parts) {
      const ir::ValueId out = graph.add_value(graph.node(part.node).name + ".part");
      split.outputs.push_back(out);
      graph.replace_uses(graph.node(part.node).outputs[0], out);
      graph.node(part.node).alive = false;
    }
    graph.add_node(std::move(split));
    context.fire();
  }
}

}  // namespace octavo::passes
