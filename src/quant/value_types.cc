#include "quant/value_types.h"

#include <set>

namespace octavo::quant {
namespace {

using Names = std::set<std::string_view>;

const Names& truth_ops() {
  static const Names kOps = {"Equal", "Greater", "Less", "GreaterOrEqual", "LessOrEqual", "And",
                             "Or",    "Not",     "Xor",  "IsNaN",          "IsInf"};
  return kOps;
}

const Names& index_ops() {
  static const Names kOps = {"Shape", "Size", "NonZero", "ArgMax", "ArgMin"};
  return kOps;
}

/// The type of output `i`, given those of the inputs.
std::optional<DType> output_type(const ir::Node& node, std::size_t i,
                                 const std::vector<std::optional<DType>>& types) {
  const auto input = [&](std::size_t at) -> std::optional<DType> {
    const ir::ValueId id = node.input(at);
    return id == ir::kNoValue ? std::nullopt : types[static_cast<std::size_t>(id)];
  };
  const auto attribute = [&](const char* name) {
    return dtype_from_onnx(node.attributes.int_or(name, 1));
  };
  if (node.domain.empty()) {
    if (truth_ops().contains(node.op)) return DType::kBool;
    if (index_ops().contains(node.op)) return DType::kInt64;
    if (node.op == "Cast") return attribute("to");
    if (node.op == "CastLike" || node.op == "Where") return input(1);
    if (node.op == "OneHot") return input(2);
    if (node.op == "EyeLike" || node.op == "RandomNormal" || node.op == "RandomUniform")
      return attribute("dtype");
    if (node.op == "ConstantOfShape") {
      const auto value = node.attributes.tensor("value");
      return value ? value->dtype() : DType::kFloat32;
    }
    if (node.op == "Dropout" && i == 1) return DType::kBool;
    if (node.op == "TopK" && i == 1) return DType::kInt64;
  } else if (node.op == "EmbedLayerNormalization") {
    return i == 1 ? std::optional(DType::kInt32) : input(2);
  }
  return input(0);
}

}  // namespace

std::vector<std::optional<DType>> value_types(const ir::Graph& graph) {
  std::vector<std::optional<DType>> types(graph.value_count());
  for (std::size_t i = 0; i < types.size(); ++i) {
    const ir::Value& value = graph.value(static_cast<ir::ValueId>(i));
    if (value.constant) types[i] = value.constant->dtype();
  }
  for (const ir::ValueId id : graph.inputs())
    types[static_cast<std::size_t>(id)] = graph.value(id).dtype;
  for (const ir::NodeId id : graph.topological_order()) {
    const ir::Node& node = graph.node(id);
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i] != ir::kNoValue)
        types[static_cast<std::size_t>(node.outputs[i])] = output_type(node, i, types);
    }
  }
  return types;
}

}  // namespace octavo::quant
