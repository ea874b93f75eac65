// Common subexpressions: nodes that do the same to the same values become one, and so do small
// constants that are equal.
#include <map>
#include <string_view>

#include "passes/pass.h"

namespace octavo::passes {
namespace {

constexpr std::size_t kMostBytes = 1 << 16;  // of a constant that is compared

/// Equal texts for nodes that may be one: what they are, what they read and the names and kinds of
/// their attributes.
std::string outline(const ir::Node& node) {
  std::string out = node.domain + ':' + node.op + ':' + std::to_string(node.outputs.size());
  for (const ir::ValueId in : node.inputs) out += ',' + std::to_string(in);
  for (const auto& [name, value] : node.attributes) {
    out += ';' + name + '=' + std::to_string(value.index());
  }
  return out;
}

bool varies(const ir::Node& node) {
  return node.op.starts_with("Random") || node.op == "Multinomial" || node.op == "Bernoulli" ||
         node.op == "Dropout";
}

/// Small constants that are equal are read as the first of them.
std::size_t merge_constants(ir::Graph& graph) {
  std::multimap<std::string, ir::ValueId> first;
  std::vector<ir::ValueId> replacement(graph.value_count(), ir::kNoValue);
  std::vector<bool> read(graph.value_count(), false);
  for (const ir::NodeId id : graph.topological_order()) {
    for (const ir::ValueId in : graph.node(id).inputs) {
      if (in != ir::kNoValue) read[static_cast<std::size_t>(in)] = true;
    }
  }
  for (std::size_t i = 0; i < graph.value_count(); ++i) {
    const auto id = static_cast<ir::ValueId>(i);
    const Tensor* tensor = graph.constant(id);
    if (tensor == nullptr || !read[i] || tensor->byte_size() > kMostBytes) continue;
    const std::string key(reinterpret_cast<const char*>(tensor->bytes()), tensor->byte_size());
    const auto [begin, end] = first.equal_range(key);
    for (auto at = begin; at != end && replacement[i] == ir::kNoValue; ++at) {
      if (identical(*graph.constant(at->second), *tensor)) replacement[i] = at->second;
    }
    if (replacement[i] == ir::kNoValue) first.emplace(key, id);
  }
  std::size_t merged = 0;
  for (std::size_t n = 0; n < graph.node_count(); ++n) {
    for (ir::ValueId& in : graph.node(static_cast<ir::NodeId>(n)).inputs) {
      if (in == ir::kNoValue || replacement[static_cast<std::size_t>(in)] == ir::kNoValue) continue;
      in = replacement[static_cast<std::size_t>(in)];
      ++merged;
    }
  }
  return merged;
}

}  // namespace

void merge_duplicates(ir::Graph& graph, PassContext& context) {
  context.fire(merge_constants(graph));
  std::multimap<std::string, ir::NodeId> first;
  for (const ir::NodeId id : graph.topological_order()) {
    const ir::Node& node = graph.node(id);
    if (varies(node)) continue;
    const std::string key = outline(node);
    const auto [begin, end] = first.equal_range(key);
    auto same = begin;
    while (same != end && !ir::equal(graph.node(same->second).attributes, node.attributes)) ++same;
    if (same == end) {
      first.emplace(key, id);
      continue;
    }
    const ir::Node& kept = graph.node(same->second);
    bool fits = true;  // an output that the first leaves out cannot be taken from it
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      fits &= node.outputs[i] == ir::kNoValue || kept.outputs[i] != ir::kNoValue;
    }
    if (!fits) continue;
    const std::vector<ir::ValueId> from = node.outputs, to = kept.outputs;
    for (std::size_t i = 0; i < from.size(); ++i) {
      if (from[i] != ir::kNoValue) graph.replace_uses(from[i], to[i]);
    }
    graph.node(id).alive = false;
    context.fire();
  }
}

}  // namespace octavo::passes
