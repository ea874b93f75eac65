#include "passes/expand_octavo.h"

#include <algorithm>

#include "passes/token_subgraphs.h"

namespace octavo::passes {
namespace {

using ir::kNoValue;
using ir::ValueId;

class Expander {
 public:
  explicit Expander(ir::Graph& graph) : graph_(graph), tokens_(graph) {}

  void run() {
    for (const ir::NodeId id : graph_.topological_order()) {
      const ir::Node node = graph_.node(id);  // a copy: the list of nodes grows
      if (node.domain != "ai.octavo") continue;
      ValueId result = kNoValue;
      if (node.op == "Attention") result = attention(node);
      if (node.op == "RotaryEmbedding") result = rotary(node);
      if (node.op == "PositionIds") result = positions(node);
      if (node.op == "MeanTokens") result = mean_tokens(node);
      if (node.op == "L2Normalize") result = l2_normalize(node);
      if (result != kNoValue) replace(node, result);
    }
    graph_.remove_dead();
    graph_.verify();
  }

 private:
  void replace(const ir::Node& node, ValueId result) {
    const ir::Value& before = graph_.value(node.outputs[0]);
    ir::Value& after = graph_.value(result);
    if (!after.dtype) after.dtype = before.dtype;
    if (!after.shape) after.shape = before.shape;
    graph_.replace_uses(node.outputs[0], result);
  }

  /// [batch, sequence, heads * size] -> [batch, sequence, heads, size].
  ValueId split_heads(ValueId x, std::int64_t heads, const std::string& name) {
    const std::int64_t width = last_dimension(graph_, x);
    return tokens_.reshape(x, {0, 0, heads, width > 0 && heads > 0 ? width / heads : -1}, name);
  }

  ValueId attention(const ir::Node& node) {
    const std::int64_t heads = node.attributes.require_int("num_heads");
    const float scale = node.attributes.float_or("scale", 1.0f);
    const std::string& name = node.name;
    const ValueId q = split_heads(node.input(0), heads, name + ".query"),
                  k = split_heads(node.input(1), heads, name + ".key"),
                  v = split_heads(node.input(2), heads, name + ".value");
    const ValueId rows = tokens_.transpose(q, {0, 2, 1, 3}, name + ".query_heads");
    const ValueId columns = tokens_.transpose(k, {0, 2, 3, 1}, name + ".key_heads");
    const ValueId values = tokens_.transpose(v, {0, 2, 1, 3}, name + ".value_heads");
    ValueId scores = graph_.emit("MatMul", {rows, columns}, {}, "", name + ".scores");
    if (scale != 1.0f) {
      // Other engines know attention by a division, as models are written.
      scores =
          scale > 0
              ? graph_.emit("Div", {scores, tokens_.number(1.0f / scale)}, {}, "", name + ".scaled")
              : graph_.emit("Mul", {scores, tokens_.number(scale)}, {}, "", name + ".scaled");
    }
    const ValueId source = node.input(3) != kNoValue ? node.input(3) : node.input(0);
    const ValueId bias = tokens_.attention_bias(source, node.input(3), node.input(4),
                                                node.attributes.int_or("local_window", 0));
    if (bias != kNoValue) scores = graph_.emit("Add", {scores, bias}, {}, "", name + ".masked");
    ir::Attributes last;
    last.set("axis", std::int64_t{-1});
    const ValueId shares =
        graph_.emit("Softmax", {scores}, std::move(last), "", name + ".probabilities");
    const ValueId context = graph_.emit("MatMul", {shares, values}, {}, "", name + ".context");
    const ValueId back = tokens_.transpose(context, {0, 2, 1, 3}, name + ".context_rows");
    const std::int64_t width = last_dimension(graph_, node.input(2));
    return tokens_.reshape(back, {0, 0, width > 0 ? width : -1}, name);
  }

  ValueId rotary(const ir::Node& node) {
    const std::int64_t heads = node.attributes.require_int("num_heads");
    const std::string& name = node.name;
    const ValueId x = node.input(0), mask = node.input(2), ids = graph_.find_input("input_ids");
    const ValueId tokens = mask != kNoValue ? mask : ids != kNoValue ? ids : x;
    const auto [cos, sin] = tokens_.rotary(tokens, mask, node.input(1));
    const ValueId split = split_heads(x, heads, name + ".heads");
    ir::Attributes last;
    last.set("axis", std::int64_t{-1});
    ir::Node halves{
        .op = "Split",
        .domain = "",
        .name = name + ".halves",
        .inputs = {split},
        .outputs = {graph_.add_value(name + ".first"), graph_.add_value(name + ".second")},
        .attributes = last};
    const ValueId first = halves.outputs[0], second = halves.outputs[1];
    graph_.add_node(std::move(halves));
    const auto product = [&](ValueId a, ValueId b, const char* what) {
      return graph_.emit("Mul", {a, b}, {}, "", name + what);
    };
    const ValueId left =
        graph_.emit("Sub", {product(first, cos, ".first_cos"), product(second, sin, ".second_sin")},
                    {}, "", name + ".first_rotated");
    const ValueId right =
        graph_.emit("Add", {product(second, cos, ".second_cos"), product(first, sin, ".first_sin")},
                    {}, "", name + ".second_rotated");
    const ValueId joined =
        graph_.emit("Concat", {left, right}, std::move(last), "", name + ".rotated");
    const std::int64_t width = last_dimension(graph_, x);
    return tokens_.reshape(joined, {0, 0, width > 0 ? width : -1}, name);
  }

  ValueId positions(const ir::Node& node) {
    return tokens_.position_ids(node.input(0), node.input(1),
                                node.attributes.int_or("padding_idx", -1),
                                node.attributes.int_or("offset", 0));
  }

  ValueId sum(ValueId x, std::int64_t axis, bool keep, const std::string& name) {
    ir::Attributes attributes;
    attributes.set("keepdims", std::int64_t{keep});
    return graph_.emit("ReduceSum", {x, tokens_.integers({axis})}, std::move(attributes), "", name);
  }

  ValueId mean_tokens(const ir::Node& node) {
    const std::string& name = node.name;
    const ValueId x = node.input(0);
    if (node.input(1) == kNoValue) {
      ir::Attributes attributes;
      attributes.set("keepdims", std::int64_t{0});
      return graph_.emit("ReduceMean", {x, tokens_.integers({1})}, std::move(attributes), "", name);
    }
    const ValueId kept = tokens_.cast(node.input(1), DType::kFloat32, name + ".kept");
    const ValueId column = tokens_.unsqueeze(kept, {2}, name + ".column");
    const ValueId rows = graph_.emit("Mul", {x, column}, {}, "", name + ".rows");
    return tokens_.divide(sum(rows, 1, false, name + ".sum"), sum(kept, 1, true, name + ".count"),
                          1e-9f, name);
  }

  ValueId l2_normalize(const ir::Node& node) {
    return tokens_.l2_normalize(node.input(0), node.attributes.float_or("epsilon", 1e-12f),
                                node.name);
  }

  ir::Graph& graph_;
  TokenSubgraphs tokens_;
};

}  // namespace

void expand_octavo(ir::Graph& graph) { Expander(graph).run(); }

}  // namespace octavo::passes
