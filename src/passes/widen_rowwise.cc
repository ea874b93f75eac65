// Products whose activations have a scale a token row, and tables whose rows have scales, as float
// products and tables with the weights the file has:
//
//   s = Max(Div(ReduceMax(Abs(x)), 127), tiny);  MatMulInteger(Cast(Round(Div(x, s))), w), Cast,
//   Mul(s), Mul(column scales): MatMul(x, w * column scales)
//
//   Mul(Cast(Gather(table, ids)), Gather(scales, ids)): Gather(table * scales, ids)
//
// These are what `octavo quantize` writes for its own scheme. The weights keep every rounding of
// the file; activations are rounded as the plan's precision says: with int8 the same integers.
#include "passes/match.h"
#include "passes/pass.h"

namespace octavo::passes {
namespace {

const ir::Node* producer(const ir::Graph& graph, ir::ValueId value, std::string_view op) {
  const ir::Node* node = value == ir::kNoValue ? nullptr : graph.producer(value);
  return node != nullptr && node->is(op) ? node : nullptr;
}

/// The other operand of a Mul or Max one of whose operands is a constant.
ir::ValueId beside_constant(const ir::Graph& graph, const ir::Node& node) {
  if (graph.constant(node.input(1)) != nullptr) return node.input(0);
  return graph.constant(node.input(0)) != nullptr ? node.input(1) : ir::kNoValue;
}

bool is_row_scale(const ir::Graph& graph, ir::ValueId scale, ir::ValueId x) {
  const ir::Node* floor = producer(graph, scale, "Max");
  if (floor == nullptr) return false;
  const ir::Node* steps = producer(graph, beside_constant(graph, *floor), "Div");
  if (steps == nullptr || scalar_constant(graph, steps->input(1)) != 127.0) return false;
  const ir::Node* largest = producer(graph, steps->input(0), "ReduceMax");
  if (largest == nullptr || largest->attributes.int_or("keepdims", 1) != 1) return false;
  const auto axes = integers_of(graph, *largest, 1, "axes");
  if (axes != std::vector<std::int64_t>{-1}) return false;
  const ir::Node* magnitude = producer(graph, largest->input(0), "Abs");
  return magnitude != nullptr && magnitude->input(0) == x;
}

/// int8 [rows, columns] times scales along one of its axes.
Tensor dequantized(const Tensor& weights, const Tensor& scales, bool by_row) {
  Tensor out(DType::kFloat32, weights.shape());
  const auto columns = static_cast<std::size_t>(weights.dim(1));
  const auto from = weights.data<std::int8_t>();
  const auto by = scales.data<float>();
  const auto to = out.mutable_data<float>();
  for (std::size_t i = 0; i < to.size(); ++i)
    to[i] = static_cast<float>(from[i]) * by[by_row ? i / columns : i % columns];
  return out;
}

bool is_int8_matrix(const Tensor* tensor) {
  return tensor != nullptr && tensor->dtype() == DType::kInt8 && tensor->rank() == 2;
}

bool are_scales(const Tensor* tensor, std::int64_t count) {
  return tensor != nullptr && tensor->dtype() == DType::kFloat32 &&
         tensor->elements() == static_cast<std::size_t>(count);
}

bool widen_product(ir::Graph& graph, const ir::Node& product, const Readers& readers) {
  const ir::Node* cast = producer(graph, product.input(0), "Cast");
  const ir::Node* round = cast == nullptr ? nullptr : producer(graph, cast->input(0), "Round");
  const ir::Node* steps = round == nullptr ? nullptr : producer(graph, round->input(0), "Div");
  if (steps == nullptr || cast->attributes.int_or("to", 0) != 3 ||
      !is_row_scale(graph, steps->input(1), steps->input(0)) || product.input(2) != ir::kNoValue ||
      product.input(3) != ir::kNoValue || !is_int8_matrix(graph.constant(product.input(1)))) {
    return false;
  }
  const ir::ValueId x = steps->input(0), row_scale = steps->input(1);
  ir::ValueId value = product.outputs[0];
  ir::ValueId scales = ir::kNoValue;
  for (const std::string_view op : {"Cast", "Mul", "Mul"}) {
    const ir::NodeId next = readers.only(value);
    if (next == ir::kNoNode || !graph.node(next).is(op)) return false;
    const ir::Node& node = graph.node(next);
    if (op == "Mul") {
      const ir::ValueId other = other_input(node, value);
      if (other != row_scale) scales = other;
    }
    value = node.outputs[0];
  }
  if (scales == ir::kNoValue) return false;
  const Tensor weights = *graph.constant(product.input(1));
  const Tensor* columns = graph.constant(scales);
  if (!are_scales(columns, weights.dim(1))) return false;
  const ir::ValueId floats = graph.add_constant(graph.value(product.input(1)).name + "/float",
                                                dequantized(weights, *columns, false));
  graph.replace_uses(value, graph.emit("MatMul", {x, floats}, {}, "", product.name));
  return true;
}

bool widen_table(ir::Graph& graph, const ir::Node& product) {
  for (const std::size_t side : {0u, 1u}) {
    const ir::Node* cast = producer(graph, product.input(side), "Cast");
    const ir::Node* rows = cast == nullptr ? nullptr : producer(graph, cast->input(0), "Gather");
    const ir::Node* scales = producer(graph, product.input(1 - side), "Gather");
    if (rows == nullptr || scales == nullptr || rows->input(1) != scales->input(1)) continue;
    const std::int64_t axis = rows->attributes.int_or("axis", 0);
    const Tensor* table = graph.constant(rows->input(0));
    const Tensor* column = graph.constant(scales->input(0));
    if (axis != 0 || scales->attributes.int_or("axis", 0) != 0 || !is_int8_matrix(table) ||
        !are_scales(column, table->dim(0)) || column->rank() != 2) {
      continue;
    }
    const std::string name = rows->name;
    const ir::ValueId ids = rows->input(1);
    const ir::ValueId floats = graph.add_constant(graph.value(rows->input(0)).name + "/float",
                                                  dequantized(*table, *column, true));
    graph.replace_uses(product.outputs[0], graph.emit("Gather", {floats, ids}, {}, "", name));
    return true;
  }
  return false;
}

}  // namespace

void widen_rowwise(ir::Graph& graph, PassContext& context) {
  const Readers readers(graph);
  for (const ir::NodeId id : graph.topological_order()) {
    const ir::Node node = graph.node(id);  // a copy: emitting moves nodes
    const bool fired = (node.is("MatMulInteger") && widen_product(graph, node, readers)) ||
                       (node.is("Mul") && widen_table(graph, node));
    if (fired) context.fire();
  }
}

}  // namespace octavo::passes
