// RMSNormalization from its parts:
//
//   x / Sqrt(ReduceMean(x * x) + epsilon) * gamma     or     gamma * (x * Reciprocal(Sqrt(..)))
//
// fuse_skip_layer_norm takes it where a sum comes before. onnxruntime's name for it alone,
// SimplifiedLayerNormalization, is in no schema that a checker knows: below opset 23 it is written
// out again, and onnxruntime fuses it when it loads the file.
#include "passes/pass.h"
#include "passes/token_values.h"

namespace octavo::passes {
namespace {

bool is_op(const ir::Node* node, std::string_view op) { return node != nullptr && node->is(op); }

/// x and epsilon of Sqrt(ReduceMean(x * x) + epsilon), over the last axis of a token value.
struct Root {
  ir::ValueId x = ir::kNoValue;
  float epsilon = 0;
};
std::optional<Root> root_of(const ir::Graph& graph, ir::ValueId value) {
  const ir::Node* root = graph.producer(value);
  const ir::Node* sum = is_op(root, "Sqrt") ? graph.producer(root->input(0)) : nullptr;
  if (!is_op(sum, "Add")) return std::nullopt;
  for (std::size_t side = 0; side < 2; ++side) {
    const auto epsilon = scalar_constant(graph, sum->input(side));
    const ir::Node* mean = graph.producer(sum->input(1 - side));
    if (!epsilon || !is_op(mean, "ReduceMean")) continue;
    if (mean->attributes.int_or("keepdims", 1) == 0) continue;
    const auto axes = integers_of(graph, *mean, 1, "axes");
    if (!axes || axes->size() != 1 || ((*axes)[0] != -1 && (*axes)[0] != 2)) continue;
    const ir::Node* square = graph.producer(mean->input(0));
    const bool power = is_op(square, "Pow") && scalar_constant(graph, square->input(1)) == 2.0;
    const bool product = is_op(square, "Mul") && square->input(0) == square->input(1);
    if (power || product) return Root{square->input(0), static_cast<float>(*epsilon)};
  }
  return std::nullopt;
}

/// The same of a node x / root or x * (1 / root).
std::optional<Root> normalized(const ir::Graph& graph, const ir::Node& node) {
  if (node.is("Div")) {
    const auto root = root_of(graph, node.input(1));
    return root && root->x == node.input(0) ? root : std::nullopt;
  }
  if (!node.is("Mul")) return std::nullopt;
  for (std::size_t side = 0; side < 2; ++side) {
    const ir::Node* inverse = graph.producer(node.input(side));
    std::optional<Root> root;
    if (is_op(inverse, "Reciprocal")) root = root_of(graph, inverse->input(0));
    if (is_op(inverse, "Div") && scalar_constant(graph, inverse->input(0)) == 1.0) {
      root = root_of(graph, inverse->input(1));
    }
    if (root && root->x == node.input(1 - side)) return root;
  }
  return std::nullopt;
}

}  // namespace

void fuse_rms_norm(ir::Graph& graph, PassContext& context) {
  const Readers readers(graph);
  TokenValues tokens(graph);
  for (const ir::NodeId id : graph.topological_order()) {
    const ir::Node node = graph.node(id);
    if (!makes_one(node)) continue;
    const auto root = normalized(graph, node);
    if (!root) continue;
    const std::string where = "node '" + node.name + "'";
    const ir::NodeId reader = readers.only(node.outputs[0]);
    const bool scaled = reader != ir::kNoNode && graph.node(reader).is("Mul");
    const ir::ValueId factor =
        scaled ? other_input(graph.node(reader), node.outputs[0]) : ir::kNoValue;
    const Tensor* gamma = scaled ? row_constant(graph, factor) : nullptr;
    if (gamma == nullptr || tokens.width(root->x) != gamma->shape().back()) {
      context.near_miss(where, "no row of factors follows, or it is not over a token's channels");
      continue;
    }
    ir::Attributes attributes;
    attributes.set("axis", std::int64_t{-1});
    attributes.set("epsilon", root->epsilon);
    Tensor row = flat_row(*gamma);
    const ir::ValueId scale = graph.add_constant(node.name + ".scale", std::move(row));
    const ir::ValueId out = graph.node(reader).outputs[0];
    graph.replace_uses(out, graph.emit("RMSNormalization", {root->x, scale}, std::move(attributes),
                                       "", node.name + ".fused"));
    context.fire();
  }
}

}  // namespace octavo::passes
