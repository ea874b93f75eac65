#include "ir/graph.h"

#include <algorithm>

#include "octavo/error.h"

namespace octavo::ir {

ValueId Graph::add_value(std::string value_name) {
  values_.push_back({.name = std::move(value_name)});
  return static_cast<ValueId>(values_.size() - 1);
}

ValueId Graph::add_input(std::string value_name, DType dtype, std::vector<Dim> shape) {
  const ValueId id = add_value(std::move(value_name));
  value(id).dtype = dtype;
  value(id).shape = std::move(shape);
  inputs_.push_back(id);
  return id;
}

ValueId Graph::add_constant(std::string value_name, Tensor tensor) {
  const ValueId id = add_value(std::move(value_name));
  value(id).dtype = tensor.dtype();
  value(id).constant = std::move(tensor);
  return id;
}

NodeId Graph::add_node(Node node) {
  const auto id = static_cast<NodeId>(nodes_.size());
  for (const ValueId out : node.outputs) {
    if (out != kNoValue) value(out).producer = id;
  }
  nodes_.push_back(std::move(node));
  return id;
}

ValueId Graph::emit(std::string op, std::vector<ValueId> inputs, Attributes attributes,
                    std::string domain, std::string node_name) {
  if (node_name.empty()) node_name = op + "_" + std::to_string(nodes_.size());
  const ValueId out = add_value(node_name);
  add_node({.op = std::move(op),
            .domain = std::move(domain),
            .name = std::move(node_name),
            .inputs = std::move(inputs),
            .outputs = {out},
            .attributes = std::move(attributes)});
  return out;
}

void Graph::add_output(ValueId id, std::string output_name) {
  outputs_.push_back({std::move(output_name), id});
}

std::size_t Graph::alive_count() const {
  return static_cast<std::size_t>(
      std::count_if(nodes_.begin(), nodes_.end(), [](const Node& n) { return n.alive; }));
}

ValueId Graph::find_input(std::string_view input_name) const {
  for (const ValueId id : inputs_) {
    if (value(id).name == input_name) return id;
  }
  return kNoValue;
}

const Node* Graph::producer(ValueId id) const {
  if (id == kNoValue) return nullptr;
  const NodeId node_id = value(id).producer;
  return node_id == kNoNode ? nullptr : &node(node_id);
}

const Tensor* Graph::constant(ValueId id) const {
  if (id == kNoValue || !value(id).constant) return nullptr;
  return &*value(id).constant;
}

std::vector<NodeId> Graph::topological_order() const {
  // Depth-first without recursion: a hostile file may hold a chain of a million nodes.
  enum class Mark : std::uint8_t { kNew, kOpen, kDone };
  std::vector<Mark> marks(nodes_.size(), Mark::kNew);
  std::vector<NodeId> order;
  order.reserve(nodes_.size());
  std::vector<std::pair<NodeId, std::size_t>> stack;
  for (NodeId start = 0; start < static_cast<NodeId>(nodes_.size()); ++start) {
    if (!node(start).alive || marks[static_cast<std::size_t>(start)] != Mark::kNew) continue;
    stack.emplace_back(start, 0);
    marks[static_cast<std::size_t>(start)] = Mark::kOpen;
    while (!stack.empty()) {
      auto& [id, next] = stack.back();
      const Node& current = node(id);
      if (next == current.inputs.size()) {
        marks[static_cast<std::size_t>(id)] = Mark::kDone;
        order.push_back(id);
        stack.pop_back();
        continue;
      }
      const ValueId in = current.inputs[next++];
      const NodeId before = in == kNoValue ? kNoNode : value(in).producer;
      if (before == kNoNode) continue;
      Mark& mark = marks[static_cast<std::size_t>(before)];
      if (mark == Mark::kOpen) {
        throw Error(ErrorCode::kInvalidFile, {.message = "the graph has a cycle",
                                              .place = "node '" + node(before).name + "'",
                                              .expected = "nodes that depend on earlier nodes only",
                                              .fix = "the model is damaged: export it again"});
      }
      if (mark == Mark::kNew && node(before).alive) {
        mark = Mark::kOpen;
        stack.emplace_back(before, 0);
      }
    }
  }
  return order;
}

std::vector<std::vector<NodeId>> Graph::readers() const {
  std::vector<std::vector<NodeId>> out(values_.size());
  for (NodeId id = 0; id < static_cast<NodeId>(nodes_.size()); ++id) {
    if (!node(id).alive) continue;
    for (const ValueId in : node(id).inputs) {
      if (in == kNoValue) continue;
      auto& list = out[static_cast<std::size_t>(in)];
      if (list.empty() || list.back() != id) list.push_back(id);
    }
  }
  return out;
}

void Graph::replace_uses(ValueId from, ValueId to) {
  for (Node& n : nodes_) std::replace(n.inputs.begin(), n.inputs.end(), from, to);
  for (Output& output : outputs_) {
    if (output.value == from) output.value = to;
  }
}

std::size_t Graph::remove_dead() {
  std::vector<bool> needed(nodes_.size(), false), read(values_.size(), false);
  std::vector<ValueId> pending;
  for (const Output& output : outputs_) pending.push_back(output.value);
  while (!pending.empty()) {
    const ValueId id = pending.back();
    pending.pop_back();
    if (id == kNoValue || read[static_cast<std::size_t>(id)]) continue;
    read[static_cast<std::size_t>(id)] = true;
    const NodeId producer_id = value(id).producer;
    if (producer_id == kNoNode || needed[static_cast<std::size_t>(producer_id)]) continue;
    needed[static_cast<std::size_t>(producer_id)] = true;
    const auto& inputs = node(producer_id).inputs;
    pending.insert(pending.end(), inputs.begin(), inputs.end());
  }
  std::size_t died = 0;
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    if (nodes_[i].alive && !needed[i]) {
      nodes_[i].alive = false;
      ++died;
    }
  }
  for (std::size_t i = 0; i < values_.size(); ++i) {
    if (!read[i]) values_[i].constant.reset();
  }
  return died;
}

void Graph::verify() const {
  const auto fail = [](std::string message, const std::string& place) {
    throw Error(ErrorCode::kInternal, {.message = std::move(message), .place = place});
  };
  const auto valid = [&](ValueId id) {
    return id >= 0 && static_cast<std::size_t>(id) < values_.size();
  };
  std::vector<bool> made(values_.size(), false);
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    const Node& n = nodes_[i];
    if (!n.alive) continue;
    for (const ValueId in : n.inputs) {
      if (in == kNoValue) continue;
      if (!valid(in)) fail("a node reads a value that does not exist", n.name);
      const NodeId producer_id = value(in).producer;
      if (producer_id != kNoNode && !node(producer_id).alive)
        fail("a node reads the output of a removed node", n.name);
    }
    for (const ValueId out : n.outputs) {
      if (out == kNoValue) continue;
      if (!valid(out)) fail("a node writes a value that does not exist", n.name);
      if (made[static_cast<std::size_t>(out)]) fail("a value has two producers", value(out).name);
      made[static_cast<std::size_t>(out)] = true;
      if (value(out).producer != static_cast<NodeId>(i))
        fail("a value names another producer", value(out).name);
    }
  }
  for (const Output& output : outputs_) {
    if (!valid(output.value)) fail("an output does not exist", output.name);
    const NodeId producer_id = value(output.value).producer;
    if (producer_id != kNoNode && !node(producer_id).alive)
      fail("an output is made by a removed node", output.name);
  }
  topological_order();
}

}  // namespace octavo::ir
