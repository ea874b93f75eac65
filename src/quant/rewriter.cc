#include "quant/rewriter.h"

namespace octavo::quant {

ir::ValueId Rewriter::emit(std::string op, std::vector<ir::ValueId> inputs, std::string node_name,
                           std::string output_name, ir::Attributes attributes, std::string domain) {
  const ir::ValueId out = graph_.emit(std::move(op), std::move(inputs), std::move(attributes),
                                      std::move(domain), std::move(node_name));
  graph_.value(out).name = std::move(output_name);
  return out;
}

void Rewriter::replace(ir::ValueId old, ir::ValueId now) {
  graph_.value(now).name = graph_.value(old).name;
  graph_.value(now).dtype = graph_.value(old).dtype;
  graph_.value(now).shape = graph_.value(old).shape;
  graph_.replace_uses(old, now);
}

ir::ValueId Rewriter::scalar(const std::string& name, float value) {
  return graph_.add_constant(name, Tensor::scalar<float>(value));
}

ir::ValueId Rewriter::integers(const std::string& name, const std::vector<std::int64_t>& values) {
  return graph_.add_constant(name, Tensor::vector<std::int64_t>(values));
}

QuantizedValue Rewriter::product_weight(ir::ValueId id) {
  return weight(id, weight_scheme(options_),
                options_.per_channel ? std::optional<std::size_t>(1) : std::nullopt);
}

QuantizedValue Rewriter::weight(ir::ValueId id, const IntegerScheme& scheme,
                                std::optional<std::size_t> axis) {
  const std::string key = std::to_string(static_cast<int>(scheme.type)) +
                          (scheme.symmetric ? "s" : "a") + (scheme.reduced ? "r" : "") +
                          (axis ? std::to_string(*axis) : "");
  auto& known = weights_[{id, key}];
  if (known.values != ir::kNoValue) return known;
  const std::string base = name(id);
  QuantizedTensor quantized = quantize_tensor(*graph_.constant(id), scheme, axis, base);
  graph_.constant(id)->release();
  known.values = graph_.add_constant(base + "_quantized", std::move(quantized.values));
  known.scale = graph_.add_constant(base + "_scale", std::move(quantized.scale));
  known.zero = graph_.add_constant(base + "_zero_point", std::move(quantized.zero));
  return known;
}

ir::ValueId Rewriter::dequantized_weight(ir::ValueId id) {
  const auto at = dequantized_.find(id);
  if (at != dequantized_.end()) return at->second;
  const QuantizedValue w = product_weight(id);
  ir::Attributes attributes;
  if (options_.per_channel) attributes.set("axis", std::int64_t{1});
  const ir::ValueId out =
      emit("DequantizeLinear", {w.values, w.scale, w.zero}, name(id) + "_DequantizeLinear",
           name(id) + "_dequantized", std::move(attributes));
  return dequantized_[id] = out;
}

std::optional<BiasAdd> following_bias(const ir::Graph& graph, ir::ValueId product,
                                      std::int64_t columns) {
  for (const auto& output : graph.outputs()) {
    if (output.value == product) return std::nullopt;
  }
  const ir::Node* reader = nullptr;
  for (std::size_t i = 0; i < graph.node_count(); ++i) {
    const ir::Node& node = graph.node(static_cast<ir::NodeId>(i));
    if (!node.alive) continue;
    for (const ir::ValueId input : node.inputs) {
      if (input != product) continue;
      if (reader != nullptr) return std::nullopt;
      reader = &node;
    }
  }
  if (reader == nullptr || !reader->is("Add")) return std::nullopt;
  const ir::ValueId bias = reader->input(0) == product ? reader->input(1) : reader->input(0);
  const Tensor* constant = graph.constant(bias);
  if (constant == nullptr || constant->dtype() != DType::kFloat32 ||
      constant->shape() != Shape{columns}) {
    return std::nullopt;
  }
  return BiasAdd{bias, reader->outputs[0]};
}

}  // namespace octavo::quant
