#include "quant/simulate.h"

#include <cmath>

#include "ops/evaluate.h"
#include "passes/match.h"

namespace octavo::quant {
namespace {

struct Grid {
  float scale;
  std::int64_t low, high;  // less the zero point

  bool operator==(const Grid&) const = default;
};

/// The grid of a QuantizeLinear or DequantizeLinear with one constant scale and 8 bits.
std::optional<Grid> grid_of(const ir::Graph& graph, const ir::Node& node) {
  const Tensor *scale = graph.constant(node.input(1)), *zero = graph.constant(node.input(2));
  if (scale == nullptr || scale->elements() != 1 || scale->dtype() != DType::kFloat32)
    return std::nullopt;
  if (node.input(2) != ir::kNoValue && (zero == nullptr || zero->elements() != 1))
    return std::nullopt;
  const DType type = zero == nullptr ? DType::kUint8 : zero->dtype();
  if (type != DType::kUint8 && type != DType::kInt8) return std::nullopt;
  const std::int64_t middle = zero == nullptr ? 0 : zero->to_int64s().front();
  const std::int64_t low = type == DType::kInt8 ? -128 : 0;
  Grid out{scale->data<float>()[0], low - middle, low + 255 - middle};
  if (!(out.scale > 0) || !std::isfinite(out.scale) || out.low > 0 || out.high < 0)
    return std::nullopt;
  return out;
}

bool all_constant(const ir::Graph& graph, const ir::Node& node) {
  for (const ir::ValueId in : node.inputs) {
    if (in != ir::kNoValue && graph.constant(in) == nullptr) return false;
  }
  return !node.inputs.empty();
}

}  // namespace

void simulate(ir::Graph& graph) {
  for (const ir::NodeId id : graph.topological_order()) {
    const ir::Node node = graph.node(id);  // a copy: emitting moves nodes
    if (!node.is("DequantizeLinear")) continue;
    const ir::ValueId out = node.outputs[0];
    if (all_constant(graph, node)) {
      const ir::ValueId wanted[] = {out};
      Tensor floats = ops::evaluate(graph, {}, wanted).front();
      graph.replace_uses(out, graph.add_constant(graph.value(out).name, std::move(floats)));
      continue;
    }
    const ir::Node* from = graph.producer(node.input(0));
    if (from == nullptr || !from->is("QuantizeLinear")) continue;
    const auto grid = grid_of(graph, node);
    if (!grid || grid_of(graph, *from) != grid) continue;
    ir::Attributes attributes;
    attributes.set("scale", grid->scale);
    attributes.set("low", grid->low);
    attributes.set("high", grid->high);
    const ir::ValueId x = from->input(0);
    const std::string name = graph.value(out).name;
    graph.replace_uses(out,
                       graph.emit("FakeQuantize", {x}, std::move(attributes), "ai.octavo", name));
  }
  graph.remove_dead();
}

}  // namespace octavo::quant
