// Replaces small integers that are computed from sizes, but are the same at every size, by
// constants: bounds of slices, lengths of the last axis.
#include <map>

#include "octavo/error.h"
#include "passes/pass.h"

namespace octavo::passes {
namespace {

constexpr std::size_t kLargest = 64;
constexpr std::int64_t kLong = 1030;  // more than sequences are usually rounded up to

/// The value at four sizes, and a long one if there is one, where it is one and the same.
std::optional<Tensor> invariant(const Probe& probe, ir::ValueId value) {
  std::optional<Tensor> out;
  for (const auto& batch : {make_batch(5, {5, 3}), make_batch(7, {4, 7, 2}), make_batch(1, {1}),
                            make_batch(97, {97, 1, 96, 4})}) {
    const Tensor found = probe.evaluate_one(batch, value);
    if (found.elements() > kLargest || (out && !identical(*out, found))) return std::nullopt;
    out = found;
  }
  try {
    const Tensor found = probe.evaluate_one(make_batch(kLong, {kLong}), value);
    if (!identical(*out, found)) return std::nullopt;
  } catch (const Error&) {  // beyond the positions that the graph has
  }
  return out;
}

}  // namespace

void freeze_sizes(ir::Graph& graph, PassContext& context) {
  const Probe& probe = context.probe();
  if (!probe.usable()) return;
  std::map<ir::ValueId, Tensor> found;
  for (const ir::NodeId id : graph.topological_order()) {
    const ir::Node& node = graph.node(id);
    if (probe.depends_on_sizes_only(node.outputs.empty() ? ir::kNoValue : node.outputs[0])) {
      continue;  // only the last value of such a chain is read by the rest of the graph
    }
    for (const ir::ValueId in : node.inputs) {
      if (!probe.depends_on_sizes_only(in) || found.contains(in)) continue;
      try {
        if (auto value = invariant(probe, in)) found.emplace(in, std::move(*value));
      } catch (const Error& error) {
        context.near_miss("node '" + node.name + "' (" + node.op + ")", error.info().message);
      }
    }
  }
  if (found.empty()) return;
  const Probe sure(graph, Probe::Sizes::kThree);
  std::erase_if(found, [&](const auto& item) {
    try {
      return !invariant(sure, item.first);
    } catch (const Error& error) {
      context.near_miss("value '" + graph.value(item.first).name + "'", error.info().message);
      return true;
    }
  });
  for (auto& [value, tensor] : found) {
    const ir::ValueId constant = graph.add_constant(graph.value(value).name, std::move(tensor));
    graph.replace_uses(value, constant);
    context.fire();
  }
}

}  // namespace octavo::passes
