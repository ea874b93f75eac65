#include "ops/value_types.h"

#include <algorithm>
#include <string_view>

namespace octavo::ops {
namespace {

using Types = std::vector<std::optional<DType>>;

bool is_any(std::string_view op, std::initializer_list<std::string_view> names) {
  return std::ranges::find(names, op) != names.end();
}

std::optional<DType> attribute_type(const ir::Node& node, std::string_view name) {
  return dtype_from_onnx(node.attributes.int_or(name, 0));
}

/// Of output `index`; `in(i)` is the type of input i.
template <typename In>
std::optional<DType> output_type(const ir::Node& node, std::size_t index, const In& in) {
  const std::string_view op = node.op;
  if (node.domain == "com.microsoft") {
    if (op == "EmbedLayerNormalization") return index == 1 ? DType::kInt32 : in(2);
    if (op == "QEmbedLayerNormalization") return index == 1 ? std::optional(DType::kInt32) : in(8);
    if (op == "QAttention") return in(3);
    if (op == "MatMulIntegerToFloat") return in(2);
    if (op == "DynamicQuantizeMatMul") return in(0);
    if (op == "GatherBlockQuantized") return in(2);
    if (op == "QuantizeLinear") return in(2) ? in(2) : std::optional(DType::kUint8);
    if (op == "DequantizeLinear") return in(1);
    return in(0);
  }
  if (is_any(op, {"Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual", "And", "Or", "Xor",
                  "Not", "IsNaN", "IsInf"})) {
    return DType::kBool;
  }
  if (is_any(op, {"Shape", "Size", "NonZero", "ArgMax", "ArgMin"})) return DType::kInt64;
  if (op == "PositionIds") return DType::kInt64;
  if (op == "Cast") return attribute_type(node, "to");
  if (is_any(op, {"CastLike", "Where", "DequantizeLinear"})) return in(1);
  if (op == "OneHot") return in(2);
  if (op == "TopK" && index == 1) return DType::kInt64;
  if (op == "Dropout" && index == 1) return DType::kBool;
  if (is_any(op, {"MatMulInteger"})) return DType::kInt32;
  if (op == "DynamicQuantizeLinear") return index == 1 ? DType::kFloat32 : DType::kUint8;
  if (op == "QLinearMatMul") return in(7);
  if (op == "QuantizeLinear") {
    if (in(2)) return in(2);
    const auto said = attribute_type(node, "output_dtype");
    return said ? said : std::optional(DType::kUint8);
  }
  if (op == "ConstantOfShape") {
    const auto value = node.attributes.tensor("value");
    return value ? value->dtype() : DType::kFloat32;
  }
  if (op == "RandomNormal" || op == "RandomUniform") {
    const auto said = attribute_type(node, "dtype");
    return said ? said : std::optional(DType::kFloat32);
  }
  if (op == "EyeLike") {
    const auto said = attribute_type(node, "dtype");
    return said ? said : in(0);
  }
  if (op == "LayerNormalization" && index > 0) return DType::kFloat32;
  return in(0);
}

}  // namespace

Types value_types(const ir::Graph& graph) {
  Types out(graph.value_count());
  for (std::size_t i = 0; i < out.size(); ++i) {
    const ir::Value& value = graph.value(static_cast<ir::ValueId>(i));
    out[i] = value.constant ? std::optional(value.constant->dtype()) : value.dtype;
  }
  for (const ir::NodeId id : graph.topological_order()) {
    const ir::Node& node = graph.node(id);
    const auto in = [&](std::size_t i) -> std::optional<DType> {
      const ir::ValueId input = node.input(i);
      return input == ir::kNoValue ? std::nullopt : out[static_cast<std::size_t>(input)];
    };
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i] == ir::kNoValue) continue;
      auto& type = out[static_cast<std::size_t>(node.outputs[i])];
      if (!type) type = output_type(node, i, in);
    }
  }
  return out;
}

}  // namespace octavo::ops
