#include "passes/token_values.h"

#include <algorithm>

namespace octavo::passes {
namespace {

constexpr std::int64_t kOnnxInt32 = 6;

bool one_of(const ir::Node& node, std::initializer_list<std::string_view> ops) {
  return std::find(ops.begin(), ops.end(), node.op) != ops.end();
}

/// Columns of the constant matrix of a product, in float or in fewer bits.
std::optional<std::int64_t> columns(const ir::Graph& graph, const ir::Node& node) {
  const bool contrib = node.domain == "com.microsoft";
  if (contrib && node.op == "MatMulNBits") return node.attributes.int_or("N", 0);
  if (!node.is("MatMul") &&
      !(contrib && one_of(node, {"MatMulIntegerToFloat", "DynamicQuantizeMatMul"}))) {
    return std::nullopt;
  }
  ir::ValueId weight = node.input(1);
  const ir::Node* stored = graph.producer(weight);
  if (stored != nullptr && stored->op == "DequantizeLinear") weight = stored->input(0);
  const Tensor* matrix = graph.constant(weight);
  return matrix != nullptr && matrix->rank() == 2 ? std::optional(matrix->dim(1)) : std::nullopt;
}

}  // namespace

std::optional<std::int64_t> TokenValues::width(ir::ValueId value) {
  // Without recursion as deep as the model: what a value is made from comes first.
  std::vector<ir::ValueId> pending{value};
  while (!pending.empty()) {
    const ir::ValueId id = pending.back();
    if (id == ir::kNoValue || known_.contains(id)) {
      pending.pop_back();
      continue;
    }
    bool ready = true;
    if (const ir::Node* node = graph_.producer(id)) {
      for (const ir::ValueId in : node->inputs) {
        if (in == ir::kNoValue || known_.contains(in) || graph_.producer(in) == nullptr) continue;
        pending.push_back(in);
        ready = false;
      }
    }
    if (!ready) continue;
    pending.pop_back();
    known_.emplace(id, find(id));
  }
  const auto found = known_.find(value);
  return found == known_.end() ? std::nullopt : found->second;
}

void TokenValues::learn(const Probe& probe) {
  known_.clear();
  for (const ir::NodeId id : graph_.topological_order()) {
    for (const ir::ValueId out : graph_.node(id).outputs) {
      if (out == ir::kNoValue) continue;
      if (const auto channels = probe.token_channels(out)) known_.emplace(out, channels);
    }
  }
}

bool TokenValues::is_token_index(ir::ValueId value) const {
  const ir::Node* from = graph_.producer(value);
  if (from != nullptr) return from->is("PositionIds", "ai.octavo");
  const auto& shape = graph_.value(value).shape;
  return graph_.constant(value) == nullptr && shape && shape->size() == 2;
}

std::optional<std::int64_t> TokenValues::find(ir::ValueId value) {
  const ir::Node* node = graph_.producer(value);
  if (node == nullptr) return std::nullopt;
  const auto known = [&](ir::ValueId id) {
    const auto at = known_.find(id);
    return at == known_.end() ? std::nullopt : at->second;
  };
  if (node->domain.empty()) {
    if (node->is("Gather")) {
      const Tensor* table = graph_.constant(node->input(0));
      const bool tokens = table != nullptr && table->rank() == 2 &&
                          node->attributes.int_or("axis", 0) == 0 && is_token_index(node->input(1));
      return tokens ? std::optional(table->dim(1)) : std::nullopt;
    }
    if (node->is("MatMul")) return known(node->input(0)) ? columns(graph_, *node) : std::nullopt;
    if (one_of(*node, {"Add", "Sub", "Mul", "Div"})) return elementwise(*node);
    if (one_of(*node, {"Split", "Slice"})) return part(*node, value);
    if (one_of(*node, {"LayerNormalization", "RMSNormalization", "SimplifiedLayerNormalization"})) {
      return value == node->outputs[0] ? known(node->input(0)) : std::nullopt;
    }
    if (one_of(*node,
               {"Gelu", "Relu", "Tanh", "Sigmoid", "Identity", "Cast", "Erf", "Sqrt", "Neg"})) {
      return known(node->input(0));
    }
    return std::nullopt;
  }
  if (node->domain == "ai.octavo") {
    if (node->op == "PositionIds") return std::nullopt;
    return known(node->input(node->op == "Attention" ? 2 : 0));
  }
  if (node->domain != "com.microsoft") return std::nullopt;
  if (node->op == "EmbedLayerNormalization") {
    const Tensor* table = graph_.constant(node->input(2));
    const bool tokens =
        value == node->outputs[0] || (node->outputs.size() > 2 && value == node->outputs[2]);
    return tokens && table != nullptr ? std::optional(table->dim(1)) : std::nullopt;
  }
  if (one_of(*node, {"SkipLayerNormalization", "SkipSimplifiedLayerNormalization"})) {
    const bool tokens =
        value == node->outputs[0] || (node->outputs.size() > 3 && value == node->outputs[3]);
    return tokens ? known(node->input(0)) : std::nullopt;
  }
  if (node->op == "Attention") {
    const Tensor* weight = graph_.constant(node->input(1));
    return weight != nullptr ? std::optional(weight->dim(1) / 3) : std::nullopt;
  }
  if (node->op == "MultiHeadAttention") return known(node->input(2));
  if (const auto wide = columns(graph_, *node)) return known(node->input(0)) ? wide : std::nullopt;
  if (one_of(*node, {"Gelu", "BiasGelu", "FastGelu", "QuickGelu", "RotaryEmbedding"})) {
    return known(node->input(0));
  }
  return std::nullopt;
}

std::optional<std::int64_t> TokenValues::elementwise(const ir::Node& node) {
  std::optional<std::int64_t> tokens;
  std::int64_t widest = 1;
  for (const ir::ValueId in : node.inputs) {
    if (const Tensor* t = graph_.constant(in)) {
      if (t->elements() == 1 && t->rank() <= 3) continue;
      if (row_constant(graph_, in) == nullptr || t->rank() > 3) return std::nullopt;
      widest = std::max(widest, t->shape().back());
      continue;
    }
    const auto at = known_.find(in);
    if (at == known_.end() || !at->second) return std::nullopt;
    tokens = at->second;
    widest = std::max(widest, *at->second);
  }
  return tokens ? std::optional(widest) : std::nullopt;
}

std::optional<std::int64_t> TokenValues::part(const ir::Node& node, ir::ValueId value) {
  const auto whole = known_.find(node.input(0));
  if (whole == known_.end() || !whole->second) return std::nullopt;
  const std::int64_t width = *whole->second;
  const auto is_last = [](std::int64_t axis) { return axis == -1 || axis == 2; };
  if (node.is("Split")) {
    if (!is_last(node.attributes.int_or("axis", 0))) return std::nullopt;
    const auto sizes = integers_of(graph_, node, 1, "split");
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i] != value) continue;
      if (sizes) return i < sizes->size() ? std::optional((*sizes)[i]) : std::nullopt;
      const auto parts = static_cast<std::int64_t>(node.outputs.size());
      return width % parts == 0 ? std::optional(width / parts) : std::nullopt;
    }
    return std::nullopt;
  }
  const auto starts = integers_of(graph_, node, 1, "starts");
  const auto ends = integers_of(graph_, node, 2, "ends");
  const auto axes = integers_of(graph_, node, 3, "axes");
  const bool plain = node.input(4) == ir::kNoValue;
  if (!plain || !starts || !ends || !axes || starts->size() != 1 || ends->size() != 1 ||
      axes->size() != 1 || !is_last((*axes)[0])) {
    return std::nullopt;
  }
  const auto bound = [&](std::int64_t at) {
    return std::clamp(at < 0 ? at + width : at, std::int64_t{0}, width);
  };
  return std::max<std::int64_t>(0, bound((*ends)[0]) - bound((*starts)[0]));
}

const Tensor* row_constant(const ir::Graph& graph, ir::ValueId value) {
  const Tensor* tensor = graph.constant(value);
  if (tensor == nullptr || tensor->rank() == 0) return nullptr;
  const auto last = static_cast<std::size_t>(tensor->shape().back());
  return tensor->elements() == last && last > 1 ? tensor : nullptr;
}

std::optional<RowSum> match_row_sum(const ir::Graph& graph, ir::ValueId sum) {
  const ir::Node* node = graph.producer(sum);
  if (node == nullptr || !node->is("Add")) return std::nullopt;
  for (std::size_t side = 0; side < 2; ++side) {
    const Tensor* row = row_constant(graph, node->input(side));
    if (row == nullptr || row->dtype() != DType::kFloat32) continue;
    if (graph.constant(node->input(1 - side)) == nullptr) return RowSum{node->input(1 - side), row};
  }
  return std::nullopt;
}

bool as_wide_as_row(const ir::Graph& graph, TokenValues& tokens, const RowSum& sum) {
  const std::int64_t row = sum.row->shape().back();
  if (const auto width = tokens.width(sum.value)) return *width == row;
  const ir::Node* node = graph.producer(sum.value);
  return node != nullptr && columns(graph, *node) == row;
}

std::optional<Linear> match_linear(const ir::Graph& graph, ir::ValueId value) {
  Linear out;
  if (const auto sum = match_row_sum(graph, value)) {
    out.bias = sum->row;
    value = sum->value;
  }
  const ir::Node* node = graph.producer(value);
  if (node == nullptr || !node->is("MatMul")) return std::nullopt;
  out.product = value;
  out.x = node->input(0);
  out.weight = graph.constant(node->input(1));
  if (out.weight == nullptr || out.weight->rank() != 2 || out.weight->dtype() != DType::kFloat32) {
    return std::nullopt;
  }
  if (out.bias != nullptr && out.bias->shape().back() != out.weight->dim(1)) return std::nullopt;
  return out;
}

ir::ValueId as_int32(ir::Graph& graph, ir::ValueId value) {
  if (graph.value(value).dtype == DType::kInt32) return value;
  for (std::size_t i = 0; i < graph.node_count(); ++i) {
    const ir::Node& node = graph.node(static_cast<ir::NodeId>(i));
    if (node.alive && node.is("Cast") && node.input(0) == value &&
        node.attributes.int_or("to", 0) == kOnnxInt32) {
      return node.outputs[0];
    }
  }
  ir::Attributes attributes;
  attributes.set("to", kOnnxInt32);
  const std::string name = graph.value(value).name + ".int32";
  const ir::ValueId out = graph.emit("Cast", {value}, std::move(attributes), "", name);
  graph.value(out).dtype = DType::kInt32;
  return out;
}

}  // namespace octavo::passes
