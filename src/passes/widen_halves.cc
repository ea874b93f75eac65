// float16 and bfloat16 become float32: constants with the numbers they had, the arithmetic between
// them without the Casts, so that what is rounded is the weights and no result. onnxruntime's CPU
// kernels compute so too, as it has next to none for halves and takes the Casts between them away.
// The constants of Gelu get back the digits that the rounding took: it is known as Gelu by them.
#include <variant>

#include "base/half.h"
#include "ops/value_types.h"
#include "passes/pass.h"

namespace octavo::passes {
namespace {

bool is_half(std::optional<DType> type) {
  return type == DType::kFloat16 || type == DType::kBFloat16;
}

constexpr float kOfGelu[] = {1.41421356f, 0.70710678f, 0.79788456f, 0.044715f};

Tensor widened(const Tensor& halves) {
  Tensor out = halves.to_float32();
  if (out.elements() != 1) return out;
  float& number = out.mutable_data<float>()[0];
  for (const float known : kOfGelu) {
    const float rounded = halves.dtype() == DType::kFloat16 ? half_to_float(float_to_half(known))
                                                            : bf16_to_float(float_to_bf16(known));
    if (number == rounded) {
      number = known;
      break;
    }
  }
  return out;
}

class Widener {
 public:
  Widener(ir::Graph& graph, PassContext& context)
      : graph_(graph), context_(context), types_(ops::value_types(graph)) {}

  void run() {
    const std::vector<ir::NodeId> order = graph_.topological_order();
    std::vector<ir::NodeId> idle;
    for (const ir::NodeId id : order) {
      if (only_rounds_or_widens(graph_.node(id))) idle.push_back(id);
    }
    constants();
    for (const ir::ValueId id : graph_.inputs()) input(id);
    for (const ir::NodeId id : order) outputs(graph_.node(id));
    for (const ir::NodeId id : idle) {
      const ir::Node& node = graph_.node(id);
      graph_.replace_uses(node.outputs[0], node.input(0));
      context_.fire();
    }
  }

 private:
  std::optional<DType> type(ir::ValueId id) const {
    const auto at = static_cast<std::size_t>(id);
    return id == ir::kNoValue || at >= types_.size() ? std::nullopt : types_[at];
  }

  void constants() {
    for (std::size_t i = 0; i < types_.size(); ++i) {
      ir::Value& value = graph_.value(static_cast<ir::ValueId>(i));
      if (!value.constant || !is_half(value.constant->dtype())) continue;
      Tensor wide = context_.keep(widened(*value.constant));
      value.constant->release();
      value.constant = std::move(wide);
      value.dtype = DType::kFloat32;
      context_.fire();
    }
  }

  void outputs(ir::Node& node) {
    for (const char* name : {"to", "dtype", "output_dtype"}) {
      const ir::Attribute* said = node.attributes.find(name);
      const auto* number = said == nullptr ? nullptr : std::get_if<std::int64_t>(said);
      if (number == nullptr || !is_half(dtype_from_onnx(*number))) continue;
      node.attributes.set(name, static_cast<std::int64_t>(DType::kFloat32));
      context_.fire();
    }
    const auto filled = node.is("ConstantOfShape") ? node.attributes.tensor("value") : std::nullopt;
    if (filled && is_half(filled->dtype())) {
      node.attributes.set("value", filled->to_float32());
      context_.fire();
    }
    for (const ir::ValueId out : node.outputs) {
      if (is_half(type(out))) graph_.value(out).dtype = DType::kFloat32;
    }
  }

  /// Inputs keep the type that they are fed with.
  void input(ir::ValueId id) {
    if (!is_half(type(id))) return;
    ir::Attributes to;
    to.set("to", static_cast<std::int64_t>(DType::kFloat32));
    const ir::ValueId wide = graph_.emit("Cast", {id}, std::move(to));
    graph_.replace_uses(id, wide);
    graph_.node(graph_.value(wide).producer).inputs[0] = id;
    context_.fire();
  }

  bool only_rounds_or_widens(const ir::Node& node) const {
    if (!node.is("Cast")) return false;
    const auto from = type(node.input(0)), to = type(node.outputs[0]);
    const auto joins = [](std::optional<DType> t) { return is_half(t) || t == DType::kFloat32; };
    return joins(from) && joins(to) && (is_half(from) || is_half(to));
  }

  ir::Graph& graph_;
  PassContext& context_;
  std::vector<std::optional<DType>> types_;  // as they were
};

}  // namespace

void widen_halves(ir::Graph& graph, PassContext& context) { Widener(graph, context).run(); }

}  // namespace octavo::passes
