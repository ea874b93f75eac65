// The one graph every front end builds, every pass rewrites and every back end reads. Nodes have
// ONNX semantics: the standard domain at opset 21 (older models are brought up by the importer),
// "com.microsoft", and "ai.octavo" for what neither has.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "ir/attributes.h"
#include "tensor/tensor.h"

namespace octavo::ir {

using ValueId = std::int32_t;
using NodeId = std::int32_t;
inline constexpr ValueId kNoValue = -1;  // an optional input that is left out
inline constexpr NodeId kNoNode = -1;

/// A dimension: a number, a named unknown ("batch"), or an unnamed unknown.
struct Dim {
  std::int64_t value = -1;
  std::string symbol{};
  bool known() const { return value >= 0; }
};

struct Value {
  std::string name;
  std::optional<DType> dtype{};
  std::optional<std::vector<Dim>> shape{};
  std::optional<Tensor> constant{};  // set for initializers
  NodeId producer = kNoNode;         // kNoNode for inputs and constants
};

struct Node {
  std::string op;      // "MatMul"
  std::string domain;  // "" (ONNX), "com.microsoft", "ai.octavo"
  std::string name;
  std::vector<ValueId> inputs;
  std::vector<ValueId> outputs;  // kNoValue for an unused output
  Attributes attributes{};
  bool alive = true;

  ValueId input(std::size_t i) const { return i < inputs.size() ? inputs[i] : kNoValue; }
  bool is(std::string_view o, std::string_view d = "") const { return op == o && domain == d; }
};

class Graph {
 public:
  std::string name;

  ValueId add_input(std::string name, DType dtype, std::vector<Dim> shape);
  ValueId add_constant(std::string name, Tensor tensor);
  /// A value without producer yet; add_node() may name it as output.
  ValueId add_value(std::string name);
  NodeId add_node(Node node);
  /// Adds a node with one new output and returns that output.
  ValueId emit(std::string op, std::vector<ValueId> inputs, Attributes attributes = {},
               std::string domain = "", std::string name = "");
  void add_output(ValueId value, std::string name);

  const Value& value(ValueId id) const { return values_[static_cast<std::size_t>(id)]; }
  Value& value(ValueId id) { return values_[static_cast<std::size_t>(id)]; }
  const Node& node(NodeId id) const { return nodes_[static_cast<std::size_t>(id)]; }
  Node& node(NodeId id) { return nodes_[static_cast<std::size_t>(id)]; }
  std::size_t value_count() const { return values_.size(); }
  std::size_t node_count() const { return nodes_.size(); }
  std::size_t alive_count() const;

  struct Output {
    std::string name;
    ValueId value;
  };
  const std::vector<ValueId>& inputs() const { return inputs_; }
  const std::vector<Output>& outputs() const { return outputs_; }
  void set_outputs(std::vector<Output> outputs) { outputs_ = std::move(outputs); }
  ValueId find_input(std::string_view name) const;  // kNoValue when absent

  /// The node that makes a value; nullptr for inputs, constants and kNoValue.
  const Node* producer(ValueId id) const;
  const Tensor* constant(ValueId id) const;  // nullptr when it is none

  /// Alive nodes, each after the nodes it reads. Error(kInvalidFile) for a cycle.
  std::vector<NodeId> topological_order() const;
  /// Alive readers of every value, indexed by ValueId.
  std::vector<std::vector<NodeId>> readers() const;

  /// Every reader of `from`, and the outputs, read `to` instead.
  void replace_uses(ValueId from, ValueId to);
  /// Marks nodes that reach no output dead, and drops the constants nothing reads. Returns how many
  /// nodes died.
  std::size_t remove_dead();

  /// Ids in range, one producer a value, outputs produced, no cycle; Error(kInternal) otherwise.
  void verify() const;

 private:
  std::vector<Value> values_;
  std::vector<Node> nodes_;
  std::vector<ValueId> inputs_;
  std::vector<Output> outputs_;
};

}  // namespace octavo::ir
