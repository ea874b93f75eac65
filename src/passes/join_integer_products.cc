// MatMulInteger of a DynamicQuantizeLinear, Cast, Mul by both scales, as onnxruntime's dynamic
// quantisation writes it, becomes com.microsoft.MatMulIntegerToFloat: the same sums, scaled in the
// same order.
#include "passes/match.h"
#include "passes/pass.h"

namespace octavo::passes {
namespace {

const ir::Node* producer(const ir::Graph& graph, ir::ValueId value, std::string_view op) {
  const ir::Node* node = value == ir::kNoValue ? nullptr : graph.producer(value);
  return node != nullptr && node->is(op) ? node : nullptr;
}

bool join(ir::Graph& graph, const ir::Node& product, const Readers& readers) {
  const ir::Node* quantize = producer(graph, product.input(0), "DynamicQuantizeLinear");
  const Tensor* weight = graph.constant(product.input(1));
  if (quantize == nullptr || product.input(0) != quantize->outputs[0] ||
      product.input(2) != quantize->outputs[2] || weight == nullptr || weight->rank() != 2 ||
      (product.input(3) != ir::kNoValue && graph.constant(product.input(3)) == nullptr)) {
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
  const Tensor* known = scale == ir::kNoValue ? nullptr : graph.constant(scale);
  if (known == nullptr || known->dtype() != DType::kFloat32) return false;
  const Tensor* zero =
      product.input(3) == ir::kNoValue ? nullptr : graph.constant(product.input(3));
  for (const Tensor* row : {known, zero}) {
    if (row == nullptr || row->elements() == 1) continue;
    if (row->rank() != 1 || row->dim(0) != weight->dim(1)) return false;
  }
  const ir::ValueId result = graph.node(scaled).outputs[0];
  std::vector<ir::ValueId> inputs{product.input(0), product.input(1), x_scale, scale,
                                  product.input(2)};
  if (product.input(3) != ir::kNoValue) inputs.push_back(product.input(3));
  graph.replace_uses(result, graph.emit("MatMulIntegerToFloat", std::move(inputs), {},
                                        "com.microsoft", product.name));
  return true;
}

}  // namespace

void join_integer_products(ir::Graph& graph, PassContext& context) {
  const Readers readers(graph);
  for (const ir::NodeId id : graph.topological_order()) {
    const ir::Node node = graph.node(id);  // a copy: emitting moves nodes
    if (!node.is("MatMulInteger")) continue;
    if (join(graph, node, readers)) {
      context.fire();
    } else {
      context.near_miss("node '" + node.name + "'",
                        "its operands, cast or scales are not those of a quantised product");
    }
  }
}

}  // namespace octavo::passes
