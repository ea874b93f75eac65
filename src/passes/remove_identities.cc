// Removes what changes nothing: Identity, Dropout, a Cast to the same type, a Reshape or Expand to
// the same shape, x * 1, x / 1, x + 0, x - 0.
#include <cmath>

#include "passes/match.h"
#include "passes/pass.h"

namespace octavo::passes {
namespace {

/// True when the constant is `neutral` in every element.
bool all_equal(const Tensor* tensor, float neutral) {
  if (tensor == nullptr || tensor->elements() == 0 || !dtype_is_float(tensor->dtype())) {
    return false;
  }
  const Tensor floats = tensor->to_float32();
  for (const float x : floats.data<float>()) {
    if (x != neutral) return false;
  }
  return true;
}

bool same_shape(const Probe& probe, ir::ValueId a, ir::ValueId b) {
  const ProbeShape *x = probe.shape(a), *y = probe.shape(b);
  return x != nullptr && y != nullptr && *x == *y;
}

/// The input that the node's first output equals, kNoValue when it is none.
ir::ValueId source(const ir::Graph& graph, const ir::Node& node, PassContext& context) {
  const ir::ValueId in = node.input(0), out = node.outputs[0];
  if (node.is("Identity") || node.is("Dropout")) {
    return node.is("Identity") || node.outputs.size() < 2 || node.outputs[1] == ir::kNoValue
               ? in
               : ir::kNoValue;
  }
  const Probe& probe = context.probe();
  if (!probe.usable()) return ir::kNoValue;
  if (node.is("Cast")) {
    const auto from = probe.dtype(in), to = probe.dtype(out);
    return from && to && *from == *to ? in : ir::kNoValue;
  }
  if (node.is("Reshape") || node.is("Expand")) {
    return same_shape(probe, in, out) ? in : ir::kNoValue;
  }
  const bool product = node.is("Mul"), sum = node.is("Add");
  if (!product && !sum && !node.is("Div") && !node.is("Sub")) return ir::kNoValue;
  const float neutral = product || node.is("Div") ? 1.0f : 0.0f;
  if (all_equal(graph.constant(node.input(1)), neutral) && same_shape(probe, in, out)) return in;
  if ((product || sum) && all_equal(graph.constant(in), neutral) &&
      same_shape(probe, node.input(1), out)) {
    return node.input(1);
  }
  return ir::kNoValue;
}

}  // namespace

void remove_identities(ir::Graph& graph, PassContext& context) {
  for (const ir::NodeId id : graph.topological_order()) {
    const ir::Node& node = graph.node(id);
    if (!node.domain.empty() || node.outputs.empty() || node.outputs[0] == ir::kNoValue) continue;
    const ir::ValueId in = source(graph, node, context);
    if (in == ir::kNoValue) continue;
    graph.replace_uses(node.outputs[0], in);
    context.fire();
  }
}

}  // namespace octavo::passes
