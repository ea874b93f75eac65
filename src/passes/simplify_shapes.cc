// Reshapes by a shape that is computed: where every dimension of the result is a number, a
// dimension of the input at the same place, or one that is left over, the shape becomes the
// constant that says so ([0, 0, heads, size]), and the Shape, Gather, Concat before it go.
// So do those of an Expand that repeats a known number of times.
#include "passes/match.h"
#include "passes/pass.h"

namespace octavo::passes {
namespace {

/// The constant shape that turns `in` into `out`; nothing where there is none.
std::optional<std::vector<std::int64_t>> constant_shape(const ProbeShape& in,
                                                        const ProbeShape& out) {
  std::vector<std::int64_t> shape;
  bool left_over = false;
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (out[i].constant()) {
      if (out[i].factor == 0) return std::nullopt;
      shape.push_back(out[i].factor);
    } else if (i < in.size() && in[i] == out[i]) {
      shape.push_back(0);
    } else if (!left_over) {
      left_over = true;
      shape.push_back(-1);
    } else {
      return std::nullopt;
    }
  }
  return shape;
}

/// The constant shape that expands `in` to `out`: 1 where a dimension stays.
std::optional<std::vector<std::int64_t>> expanding_shape(const ProbeShape& in,
                                                         const ProbeShape& out) {
  std::vector<std::int64_t> shape;
  if (in.size() > out.size()) return std::nullopt;
  const std::size_t lead = out.size() - in.size();
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (i >= lead && in[i - lead] == out[i]) {
      shape.push_back(1);
    } else if (out[i].constant()) {
      shape.push_back(out[i].factor);
    } else {
      return std::nullopt;
    }
  }
  return shape;
}

}  // namespace

void simplify_shapes(ir::Graph& graph, PassContext& context) {
  if (!context.probe().usable()) return;
  std::vector<ir::NodeId> computed;
  for (const ir::NodeId id : graph.topological_order()) {
    const ir::Node& node = graph.node(id);
    const bool reshape = node.is("Reshape");
    if ((!reshape && !node.is("Expand")) || !makes_one(node)) continue;
    if (!context.probe().depends_on_sizes_only(node.input(1))) continue;
    if (reshape && node.attributes.int_or("allowzero", 0) != 0) continue;
    computed.push_back(id);
  }
  if (computed.empty()) return;
  const Probe probe(graph, Probe::Sizes::kThree);
  for (const ir::NodeId id : computed) {
    const ir::Node& node = graph.node(id);
    const bool reshape = node.is("Reshape");
    const ProbeShape *in = probe.shape(node.input(0)), *out = probe.shape(node.outputs[0]);
    if (in == nullptr || out == nullptr) continue;
    const auto shape = reshape ? constant_shape(*in, *out) : expanding_shape(*in, *out);
    if (!shape) {
      context.near_miss("node '" + node.name + "'", "its shape is no constant with one unknown");
      continue;
    }
    const ir::ValueId constant =
        graph.add_constant(node.name + ".shape", Tensor::vector<std::int64_t>(*shape));
    graph.node(id).inputs[1] = constant;
    context.fire();
  }
}

}  // namespace octavo::passes
