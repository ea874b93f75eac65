// Small questions that structural passes ask of a graph.
#pragma once

#include <cmath>
#include <optional>
#include <vector>

#include "ir/graph.h"

namespace octavo::passes {

/// Who reads what, as the graph was when this was made.
class Readers {
 public:
  explicit Readers(const ir::Graph& graph) : graph_(graph), readers_(graph.readers()) {
    outputs_.assign(graph.value_count(), false);
    for (const auto& output : graph.outputs()) outputs_[index(output.value)] = true;
  }

  bool is_output(ir::ValueId value) const {
    return index(value) < outputs_.size() && outputs_[index(value)];
  }
  /// Alive readers; none for a value made since.
  std::vector<ir::NodeId> of(ir::ValueId value) const {
    std::vector<ir::NodeId> out;
    if (index(value) >= readers_.size()) return out;
    for (const ir::NodeId id : readers_[index(value)]) {
      if (graph_.node(id).alive) out.push_back(id);
    }
    return out;
  }
  /// The reader of a value that one node reads and no output is; kNoNode otherwise.
  ir::NodeId only(ir::ValueId value) const {
    const std::vector<ir::NodeId> all = of(value);
    return all.size() == 1 && !is_output(value) ? all[0] : ir::kNoNode;
  }

 private:
  static std::size_t index(ir::ValueId id) { return static_cast<std::size_t>(id); }
  const ir::Graph& graph_;
  std::vector<std::vector<ir::NodeId>> readers_;
  std::vector<bool> outputs_;
};

/// The value of a constant with one element.
inline std::optional<double> scalar_constant(const ir::Graph& graph, ir::ValueId value) {
  const Tensor* tensor = graph.constant(value);
  if (tensor == nullptr || tensor->elements() != 1) return std::nullopt;
  if (tensor->dtype() == DType::kFloat64) return tensor->data<double>()[0];
  if (dtype_is_float(tensor->dtype())) return tensor->to_float32().data<float>()[0];
  return static_cast<double>(tensor->to_int64s()[0]);
}

/// Integers of a constant, else of an attribute: axes and the like, which moved from attributes to
/// inputs over the opsets.
inline std::optional<std::vector<std::int64_t>> integers_of(const ir::Graph& graph,
                                                            const ir::Node& node, std::size_t input,
                                                            std::string_view attribute) {
  if (node.input(input) != ir::kNoValue) {
    const Tensor* tensor = graph.constant(node.input(input));
    if (tensor == nullptr || dtype_is_float(tensor->dtype())) return std::nullopt;
    return tensor->to_int64s();
  }
  return node.attributes.ints(attribute);
}

/// True for a node that makes one value: what structural passes look at.
inline bool makes_one(const ir::Node& node) {
  return node.outputs.size() == 1 && node.outputs[0] != ir::kNoValue;
}

/// The input of a two-input node that is not `value`.
inline ir::ValueId other_input(const ir::Node& node, ir::ValueId value) {
  return node.input(0) == value ? node.input(1) : node.input(0);
}

}  // namespace octavo::passes
