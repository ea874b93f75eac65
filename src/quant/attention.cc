#include "quant/attention.h"

#include <algorithm>

#include "quant/exclusions.h"

namespace octavo::quant {
namespace {

/// Why the projection of an Attention cannot be taken out or replaced; empty where it can.
std::string refusal(const ir::Graph& graph, const ir::Node& node) {
  const Tensor* weights = node.input(1) == ir::kNoValue ? nullptr : graph.constant(node.input(1));
  if (weights == nullptr || weights->rank() != 2 || weights->dtype() != DType::kFloat32)
    return "its weights are not a constant float32 matrix";
  for (const std::size_t i : {4u, 6u}) {
    if (node.input(i) != ir::kNoValue) return "it continues from past keys and values";
  }
  for (std::size_t i = 1; i < node.outputs.size(); ++i) {
    if (node.outputs[i] != ir::kNoValue) return "it gives its keys and values";
  }
  if (node.attributes.int_or("do_rotary", 0) != 0) return "it has rotary embeddings";
  return {};
}

/// Columns of query, key and value in the weights; empty when they cannot be told.
std::vector<std::int64_t> widths(const ir::Graph& graph, const ir::Node& node) {
  const std::int64_t columns = graph.constant(node.input(1))->dim(1);
  if (const auto sizes = node.attributes.ints("qkv_hidden_sizes"); sizes && !sizes->empty()) {
    const bool fits = sizes->size() == 3 && (*sizes)[0] + (*sizes)[1] + (*sizes)[2] == columns;
    return fits ? *sizes : std::vector<std::int64_t>{};
  }
  if (columns % 3 != 0) return {};
  return {columns / 3, columns / 3, columns / 3};
}

/// Why QAttention cannot stand for an Attention; empty where it can.
std::string qattention_refusal(const ir::Graph& graph, const ir::Node& node,
                               const QuantizeOptions& options) {
  if (const std::string reason = refusal(graph, node); !reason.empty()) return reason;
  if (const auto sizes = node.attributes.ints("qkv_hidden_sizes"); sizes && !sizes->empty())
    return "QAttention takes no widths of its own for query, key and value";
  if (node.input(5) != ir::kNoValue) return "QAttention takes no bias of the scores";
  if (options.mode != QuantizeMode::kDynamic && options.mode != QuantizeMode::kStatic)
    return "QAttention has a scale a tensor";
  if (options.format != QuantizeFormat::kQOperator) return "QAttention is no float operator";
  if (options.activation_type != QuantizedType::kUInt8)
    return "QAttention takes uint8 activations alone";
  return {};
}

}  // namespace

void split_attention(ir::Graph& graph, const QuantizeOptions& options) {
  Rewriter r(graph, options);
  for (const ir::NodeId id : graph.topological_order()) {
    const ir::Node node = graph.node(id);
    if (!node.is("Attention", "com.microsoft") || is_excluded(options, node) ||
        !refusal(graph, node).empty() || qattention_refusal(graph, node, options).empty()) {
      continue;
    }
    const std::vector<std::int64_t> sizes = widths(graph, node);
    if (sizes.empty()) continue;
    const std::string& name = node.name;
    const ir::ValueId product =
        r.emit("MatMul", {node.input(0), node.input(1)}, name, name + "/qkv");
    ir::Node split{.op = "Split",
                   .domain = "",
                   .name = name + "/Split",
                   .inputs = {product, r.integers(name + "/widths", sizes)},
                   .outputs = {}};
    split.attributes.set("axis", std::int64_t{-1});
    for (const char* part : {"/query", "/key", "/value"})
      split.outputs.push_back(graph.add_value(name + part));
    std::vector<ir::ValueId> inputs = split.outputs;
    graph.add_node(std::move(split));
    inputs.insert(inputs.end(), {node.input(2), node.input(3), node.input(5)});
    while (inputs.back() == ir::kNoValue) inputs.pop_back();
    ir::Attributes attributes;
    for (const auto& [key, value] : node.attributes) {
      if (key == "num_heads" || key == "unidirectional" || key == "mask_filter_value" ||
          key == "scale") {
        attributes.set(key, value);
      }
    }
    r.replace(node.outputs[0], r.emit("MultiHeadAttention", std::move(inputs), name + "/attention",
                                      "", std::move(attributes), "com.microsoft"));
  }
  graph.remove_dead();
}

void quantize_attention(Rewriter& r, Activations& activations, const ir::Node& node) {
  ir::Graph& graph = r.graph();
  if (const std::string reason = qattention_refusal(graph, node, r.options()); !reason.empty())
    return r.left(node, reason);
  const QuantizedValue a = r.options().mode == QuantizeMode::kStatic
                               ? activations.fixed(node.input(0))
                               : activations.dynamic(node.input(0));
  const QuantizedValue w = r.product_weight(node.input(1));
  ir::ValueId bias = node.input(2);
  if (bias == ir::kNoValue) {
    Tensor zeros(DType::kFloat32, {graph.constant(node.input(1))->dim(1)});
    std::ranges::fill(zeros.mutable_data<float>(), 0.0f);
    bias = graph.add_constant(node.name + "/zero_bias", std::move(zeros));
  }
  ir::Attributes attributes;
  for (const auto& [key, value] : node.attributes) {
    if (key == "num_heads" || key == "unidirectional" || key == "mask_filter_value" ||
        key == "scale") {
      attributes.set(key, value);
    }
  }
  r.replace(node.outputs[0],
            r.emit("QAttention",
                   {a.values, w.values, bias, a.scale, w.scale, node.input(3), a.zero, w.zero},
                   node.name + "_quant", "", std::move(attributes), "com.microsoft"));
  r.done(node, "QAttention");
}

}  // namespace octavo::quant
