// Gemm: a product with a constant matrix and the row added to it, where there is one row for each
// text: what poolers and classifiers make of the first token.
#include <algorithm>

#include "passes/pass.h"
#include "passes/token_values.h"

namespace octavo::passes {
namespace {

/// [batch, width] for certain: one token of every row, and what is made of it row by row.
bool is_row_of_text(const ir::Graph& graph, TokenValues& tokens, ir::ValueId value) {
  constexpr int kMostSteps = 32;
  for (int step = 0; step < kMostSteps; ++step) {
    const ir::Node* node = graph.producer(value);
    if (node == nullptr) return false;
    if (node->is("Gather")) {
      const Tensor* index = graph.constant(node->input(1));
      return index != nullptr && index->rank() == 0 && node->attributes.int_or("axis", 0) == 1 &&
             tokens.width(node->input(0)).has_value();
    }
    const bool gelu = node->domain == "com.microsoft" && node->op.ends_with("Gelu");
    const bool unary = node->is("Tanh") || node->is("Relu") || node->is("Gelu") || gelu;
    if (node->is("Gemm")) return true;
    if (!unary && !node->is("MatMul") && !match_row_sum(graph, value)) return false;
    const auto sum = match_row_sum(graph, value);
    value = sum ? sum->value : node->input(0);
  }
  return false;
}

}  // namespace

void fuse_gemm(ir::Graph& graph, PassContext& context) {
  const Readers readers(graph);
  TokenValues tokens(graph);
  for (const ir::NodeId id : graph.topological_order()) {
    const ir::Node node = graph.node(id);
    if (!node.is("Add") || !makes_one(node)) continue;
    for (std::size_t side = 0; side < 2; ++side) {
      const ir::Node* product = graph.producer(node.input(side));
      if (product == nullptr || !product->is("MatMul")) continue;
      const ir::ValueId x = product->input(0), matrix = product->input(1);
      const Tensor *weight = graph.constant(matrix), *row = graph.constant(node.input(1 - side));
      // A head with one label has a row of one number.
      const bool fits = weight != nullptr && weight->rank() == 2 && row != nullptr &&
                        row->rank() <= 2 && row->dtype() == weight->dtype() &&
                        row->elements() == static_cast<std::size_t>(weight->dim(1));
      if (!fits || readers.only(node.input(side)) != id) continue;
      if (!is_row_of_text(graph, tokens, x)) continue;
      Tensor flat = row->reshaped({weight->dim(1)});
      const ir::ValueId bias = graph.add_constant(node.name + ".bias", std::move(flat));
      graph.replace_uses(node.outputs[0], graph.emit("Gemm", {x, matrix, bias}, {}, "", node.name));
      context.fire();
      break;
    }
  }
}

}  // namespace octavo::passes
