#include "passes/narrow_products.h"

#include "passes/match.h"

namespace octavo::passes {
namespace {

bool bytes(const Tensor* tensor) {
  return tensor != nullptr && (tensor->dtype() == DType::kUint8 || tensor->dtype() == DType::kInt8);
}

bool plain(const ir::Node& node) {
  return node.attributes.int_or("block_size", 0) == 0 &&
         node.attributes.int_or("output_dtype", 0) == 0;
}

/// Values of bytes with one scale and zero point.
bool one_scale(const ir::Graph& graph, const ir::Node& dequantize) {
  const ir::ValueId x = dequantize.input(0), scale = dequantize.input(1),
                    zero = dequantize.input(2);
  if (!plain(dequantize) || x == ir::kNoValue || scale == ir::kNoValue || zero == ir::kNoValue) {
    return false;
  }
  const ir::Node* maker = graph.producer(x);
  if (maker != nullptr && maker->is("DynamicQuantizeLinear")) {
    return maker->outputs.size() == 3 && maker->outputs[0] == x && maker->outputs[1] == scale &&
           maker->outputs[2] == zero;
  }
  const Tensor *by = graph.constant(scale), *at = graph.constant(zero);
  return by != nullptr && by->dtype() == DType::kFloat32 && by->elements() == 1 && bytes(at) &&
         at->elements() == 1;
}

/// A matrix of bytes with one scale, or one a column.
bool matrix(const ir::Graph& graph, const ir::Node& dequantize) {
  const Tensor *w = graph.constant(dequantize.input(0)),
               *scale = graph.constant(dequantize.input(1));
  if (!plain(dequantize) || !bytes(w) || w->rank() != 2 || scale == nullptr ||
      scale->dtype() != DType::kFloat32) {
    return false;
  }
  const std::int64_t axis = dequantize.attributes.int_or("axis", 1);
  const bool columns =
      scale->rank() == 1 && scale->dim(0) == w->dim(1) && (axis == 1 || axis == -1);
  if (scale->elements() != 1 && !columns) return false;
  if (dequantize.input(2) == ir::kNoValue) return true;
  const Tensor* zero = graph.constant(dequantize.input(2));
  return zero != nullptr && zero->dtype() == w->dtype() && zero->elements() == scale->elements();
}

}  // namespace

std::size_t narrow_products(ir::Graph& graph) {
  std::size_t fired = 0;
  for (const ir::NodeId id : graph.topological_order()) {
    const ir::Node& node = graph.node(id);
    if (!node.is("MatMul") || !makes_one(node)) continue;
    const ir::Node *a = graph.producer(node.input(0)), *w = graph.producer(node.input(1));
    if (a == nullptr || w == nullptr || !a->is("DequantizeLinear") || !w->is("DequantizeLinear") ||
        !one_scale(graph, *a) || !matrix(graph, *w)) {
      continue;
    }
    std::vector<ir::ValueId> inputs{a->input(0), w->input(0), a->input(1), w->input(1),
                                    a->input(2)};
    if (w->input(2) != ir::kNoValue) inputs.push_back(w->input(2));
    const ir::ValueId out = node.outputs[0];
    graph.replace_uses(out, graph.emit("MatMulIntegerToFloat", std::move(inputs), {},
                                       "com.microsoft", std::string(node.name)));
    ++fired;
  }
  if (fired != 0) graph.remove_dead();
  return fired;
}

}  // namespace octavo::passes
