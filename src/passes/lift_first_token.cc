// The first token of each row, [batch, sequence, C] -> [batch, C], as one Gather(x, 0, axis 1),
// also where it is written as Slice and Squeeze, or with an index of another spelling.
#include "passes/match.h"
#include "passes/pass.h"

namespace octavo::passes {
namespace {

/// x where `node` is Squeeze(Slice(x, 0, 1, axes 1), 1); kNoValue otherwise.
ir::ValueId sliced(const ir::Graph& graph, const ir::Node& node) {
  const ir::Node* slice = graph.producer(node.input(0));
  if (!node.is("Squeeze") || !makes_one(node) || slice == nullptr || !slice->is("Slice"))
    return ir::kNoValue;
  const std::vector<std::int64_t> zero{0}, one{1};
  const bool step =
      slice->input(4) == ir::kNoValue || integers_of(graph, *slice, 4, "steps") == one;
  if (integers_of(graph, *slice, 1, "starts") != zero ||
      integers_of(graph, *slice, 2, "ends") != one ||
      integers_of(graph, *slice, 3, "axes") != one || !step ||
      integers_of(graph, node, 1, "axes") != one) {
    return ir::kNoValue;
  }
  return slice->input(0);
}

}  // namespace

void lift_first_token(ir::Graph& graph, PassContext& context) {
  const Probe& probe = context.probe();
  if (!probe.usable()) return;
  for (const ir::NodeId id : graph.topological_order()) {
    const ir::ValueId x = sliced(graph, graph.node(id));
    if (x == ir::kNoValue || !probe.token_channels(x)) continue;
    ir::Attributes attributes;
    attributes.set("axis", std::int64_t{1});
    const ir::ValueId first = graph.add_constant("first_token", Tensor::scalar<std::int64_t>(0));
    const ir::ValueId out = graph.emit("Gather", {x, first}, std::move(attributes));
    graph.replace_uses(graph.node(id).outputs[0], out);
    context.fire();
  }
}

}  // namespace octavo::passes
