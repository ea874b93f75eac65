// Softmax over the last axis, where an importer wrote the older form of the operator (everything
// from an axis on counts as one axis) and the axis turns out to be the last:
//
//   Reshape(Softmax(Flatten(x, axis)), Shape(x))  ->  Softmax(x)     when axis is rank - 1
#include "passes/match.h"
#include "passes/pass.h"

namespace octavo::passes {

void restore_softmax(ir::Graph& graph, PassContext& context) {
  for (const ir::NodeId id : graph.topological_order()) {
    const ir::Node& reshape = graph.node(id);
    if (!reshape.is("Reshape") || !makes_one(reshape)) continue;
    const ir::Node* softmax = graph.producer(reshape.input(0));
    const ir::Node* shape = graph.producer(reshape.input(1));
    if (softmax == nullptr || shape == nullptr || !softmax->is("Softmax") || !shape->is("Shape")) {
      continue;
    }
    const ir::Node* flatten = graph.producer(softmax->input(0));
    if (flatten == nullptr || !flatten->is("Flatten") || flatten->input(0) != shape->input(0) ||
        shape->attributes.find("start") != nullptr || shape->attributes.find("end") != nullptr) {
      continue;
    }
    const std::int64_t over = softmax->attributes.int_or("axis", -1);
    if (over != -1 && over != 1) continue;
    const ir::ValueId x = flatten->input(0);
    const Probe& probe = context.probe();
    const ProbeShape* known = probe.usable() ? probe.shape(x) : nullptr;
    if (known == nullptr) continue;
    const std::int64_t axis = flatten->attributes.int_or("axis", 1);
    const auto rank = static_cast<std::int64_t>(known->size());
    if (axis != rank - 1 && axis != -1) {
      context.near_miss("node '" + softmax->name + "'", "it is over more than the last axis");
      continue;
    }
    ir::Attributes attributes;
    attributes.set("axis", std::int64_t{-1});
    const std::string name = softmax->name;
    const ir::ValueId old = reshape.outputs[0];
    graph.replace_uses(old, graph.emit("Softmax", {x}, std::move(attributes), "", name + ".last"));
    context.fire();
  }
}

}  // namespace octavo::passes
