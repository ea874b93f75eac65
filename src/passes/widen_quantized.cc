// Quantised products and tables as products and tables of float32, with the weights the file has:
//
//   MatMulInteger of a DynamicQuantizeLinear, Cast, Mul by both scales: MatMul(x, dequantised)
//
//   DequantizeLinear(Gather(table, ids)), one scale: Gather(dequantised, ids)
//
//   DequantizeLinear(QuantizeLinear(x)), same scale and zero point: x
//
// The weights keep every rounding of the file; the rounding of activations goes away. How products
// are computed is for the plan to say (its precision), not for the file.
#include "passes/match.h"
#include "passes/pass.h"

namespace octavo::passes {
namespace {

const ir::Node* producer(const ir::Graph& graph, ir::ValueId value, std::string_view op) {
  const ir::Node* node = value == ir::kNoValue ? nullptr : graph.producer(value);
  return node != nullptr && node->is(op) ? node : nullptr;
}

bool is_constant(const ir::Graph& graph, ir::ValueId value) {
  return value != ir::kNoValue && graph.constant(value) != nullptr;
}

/// 0 where none is given; nothing when it is not one constant.
std::optional<double> zero_point(const ir::Graph& graph, const ir::Node& node) {
  if (node.input(2) == ir::kNoValue) return 0;
  return scalar_constant(graph, node.input(2));
}

/// DequantizeLinear of constants along the last axis of a matrix; fold_constants computes it.
ir::ValueId dequantized(ir::Graph& graph, ir::ValueId weight, ir::ValueId scale, ir::ValueId zero) {
  const auto scalar = [&](ir::ValueId id) {
    if (id == ir::kNoValue || graph.constant(id)->elements() != 1) return id;
    return graph.add_constant(graph.value(id).name + "/scalar", graph.constant(id)->reshaped({}));
  };
  ir::Attributes attributes;
  attributes.set("axis", std::int64_t{1});
  std::vector<ir::ValueId> inputs{weight, scalar(scale)};
  if (zero != ir::kNoValue) inputs.push_back(scalar(zero));
  return graph.emit("DequantizeLinear", std::move(inputs), std::move(attributes), "",
                    graph.value(weight).name + "/float");
}

/// Replaces what a MatMulInteger becomes by a MatMul; false when it is no product of that form.
bool widen_product(ir::Graph& graph, const ir::Node& product, const Readers& readers) {
  const ir::Node* quantize = producer(graph, product.input(0), "DynamicQuantizeLinear");
  if (quantize == nullptr || product.input(0) != quantize->outputs[0] ||
      product.input(2) != quantize->outputs[2] || !is_constant(graph, product.input(1)) ||
      graph.constant(product.input(1))->rank() != 2 ||
      (product.input(3) != ir::kNoValue && !is_constant(graph, product.input(3)))) {
    return false;
  }
  const ir::NodeId cast = readers.only(product.outputs[0]);
  if (cast == ir::kNoNode || !graph.node(cast).is("Cast") ||
      graph.node(cast).attributes.int_or("to", 0) != 1) {
    return false;
  }
  const ir::ValueId sums = graph.node(cast).outputs[0];
  const ir::NodeId scaled = readers.only(sums);
  if (scaled == ir::kNoNode || !graph.node(scaled).is("Mul")) return false;
  const ir::Node* scales = producer(graph, other_input(graph.node(scaled), sums), "Mul");
  if (scales == nullptr) return false;
  const ir::ValueId x_scale = quantize->outputs[1];
  if (scales->input(0) != x_scale && scales->input(1) != x_scale) return false;
  const ir::ValueId scale = other_input(*scales, x_scale);
  if (!is_constant(graph, scale)) return false;
  const std::size_t columns = static_cast<std::size_t>(graph.constant(product.input(1))->dim(1));
  for (const ir::ValueId row : {scale, product.input(3)}) {
    if (row == ir::kNoValue) continue;
    const Tensor& t = *graph.constant(row);
    if (t.elements() != 1 && (t.elements() != columns || t.rank() != 1)) return false;
  }
  const ir::ValueId x = quantize->input(0), result = graph.node(scaled).outputs[0];
  const std::string name = product.name;
  const ir::ValueId weight = dequantized(graph, product.input(1), scale, product.input(3));
  graph.replace_uses(result, graph.emit("MatMul", {x, weight}, {}, "", name));
  return true;
}

bool widen_dequantize(ir::Graph& graph, const ir::Node& node) {
  if (!is_constant(graph, node.input(1)) || graph.constant(node.input(1))->elements() != 1 ||
      (node.input(2) != ir::kNoValue && !is_constant(graph, node.input(2)))) {
    return false;
  }
  const ir::ValueId result = node.outputs[0];
  if (const ir::Node* quantize = producer(graph, node.input(0), "QuantizeLinear")) {
    if (!is_constant(graph, quantize->input(1)) ||
        scalar_constant(graph, quantize->input(1)) != scalar_constant(graph, node.input(1)) ||
        !zero_point(graph, node) || zero_point(graph, *quantize) != zero_point(graph, node)) {
      return false;
    }
    graph.replace_uses(result, quantize->input(0));
    return true;
  }
  const ir::Node* gather = producer(graph, node.input(0), "Gather");
  if (gather == nullptr || !is_constant(graph, gather->input(0)) ||
      graph.constant(gather->input(0))->rank() != 2) {
    return false;
  }
  const ir::ValueId index = gather->input(1);
  const std::string name = gather->name;
  ir::Attributes attributes = gather->attributes;
  const ir::ValueId table = dequantized(graph, gather->input(0), node.input(1), node.input(2));
  graph.replace_uses(result, graph.emit("Gather", {table, index}, std::move(attributes), "", name));
  return true;
}

}  // namespace

void widen_quantized(ir::Graph& graph, PassContext& context) {
  const Readers readers(graph);
  for (const ir::NodeId id : graph.topological_order()) {
    const ir::Node node = graph.node(id);  // a copy: emitting moves nodes
    if (node.is("MatMulInteger")) {
      if (widen_product(graph, node, readers)) {
        context.fire();
      } else {
        context.near_miss("node '" + node.name + "'",
                          "its operands, cast or scales are not those of a quantised product");
      }
    } else if (node.is("DequantizeLinear") && !is_constant(graph, node.input(0)) &&
               widen_dequantize(graph, node)) {
      context.fire();
    }
  }
}

}  // namespace octavo::passes
