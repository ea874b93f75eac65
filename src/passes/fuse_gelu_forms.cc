// Gelu, with the bias before it, in the forms of onnxruntime: BiasGelu and Gelu (erf), FastGelu
// (tanh, with or without bias).
#include "passes/pass.h"
#include "passes/token_values.h"

namespace octavo::passes {

void fuse_bias_gelu(ir::Graph& graph, PassContext& context) {
  const Readers readers(graph);
  TokenValues tokens(graph);
  for (const ir::NodeId id : graph.topological_order()) {
    const ir::Node& node = graph.node(id);
    if (!node.is("Gelu") || !makes_one(node)) continue;
    const bool tanh_form = node.attributes.string_or("approximate", "none") == "tanh";
    std::vector<ir::ValueId> inputs{node.input(0)};
    const auto sum = match_row_sum(graph, node.input(0));
    if (sum && readers.only(node.input(0)) == id && as_wide_as_row(graph, tokens, *sum)) {
      inputs = {sum->value, graph.add_constant(node.name + ".bias", flat_row(*sum->row))};
    }
    const char* op = tanh_form ? "FastGelu" : inputs.size() == 2 ? "BiasGelu" : "Gelu";
    const ir::ValueId out = node.outputs[0];
    const std::string name = node.name;
    graph.replace_uses(out, graph.emit(op, std::move(inputs), {}, "com.microsoft", name));
    context.fire();
  }
}

/// QuickGelu: x * sigmoid(alpha * x).
void fuse_quick_gelu(ir::Graph& graph, PassContext& context) {
  const Readers readers(graph);
  for (const ir::NodeId id : graph.topological_order()) {
    const ir::Node& node = graph.node(id);
    if (!node.is("Mul") || !makes_one(node)) continue;
    for (std::size_t side = 0; side < 2; ++side) {
      const ir::Node* sigmoid = graph.producer(node.input(side));
      if (sigmoid == nullptr || !sigmoid->is("Sigmoid")) continue;
      const ir::ValueId x = node.input(1 - side);
      double alpha = 1;
      if (sigmoid->input(0) != x) {
        const ir::Node* product = graph.producer(sigmoid->input(0));
        if (product == nullptr || !product->is("Mul")) continue;
        if (product->input(0) != x && product->input(1) != x) continue;
        const auto factor = scalar_constant(graph, other_input(*product, x));
        if (!factor) {
          context.near_miss("node '" + node.name + "'", "the factor in the Sigmoid is no number");
          continue;
        }
        alpha = *factor;
      }
      ir::Attributes attributes;
      attributes.set("alpha", static_cast<float>(alpha));
      const ir::ValueId out = node.outputs[0];
      const std::string name = node.name;
      graph.replace_uses(
          out, graph.emit("QuickGelu", {x}, std::move(attributes), "com.microsoft", name));
      context.fire();
      break;
    }
  }
}

}  // namespace octavo::passes
