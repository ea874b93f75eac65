#include "passes/lift.h"

#include <algorithm>
#include <chrono>
#include <string_view>

#include "octavo/error.h"
#include "passes/match.h"

namespace octavo::passes {
namespace {

bool constant_input(const ir::Graph& graph, const ir::Node& node, std::size_t i) {
  return node.input(i) == ir::kNoValue || graph.constant(node.input(i)) != nullptr;
}

/// A constant matrix, or one that is stored the other way round.
bool constant_matrix(const ir::Graph& graph, ir::ValueId id) {
  const ir::Node* from = graph.producer(id);
  if (from != nullptr && from->is("Transpose")) id = from->input(0);
  const Tensor* matrix = graph.constant(id);
  return matrix != nullptr && matrix->rank() == 2;
}

bool constant_from(const ir::Graph& graph, const ir::Node& node, std::size_t first) {
  for (std::size_t i = first; i < node.inputs.size(); ++i) {
    if (!constant_input(graph, node, i)) return false;
  }
  return true;
}

/// A constant that is the same for every token: one number, or a row.
bool row_or_scalar(const Tensor& t) {
  return t.elements() == 1 ||
         (t.rank() >= 1 && t.elements() == static_cast<std::size_t>(t.shape().back()));
}

/// What the plan cannot do about a node; empty when it can.
std::string_view obstacle(const ir::Graph& graph, const ir::Node& node) {
  static constexpr std::string_view kUnary[] = {"Gelu", "Relu", "Tanh", "Sigmoid"};
  static constexpr std::string_view kBinary[] = {"Add", "Sub", "Mul", "Div"};
  if (node.domain == "ai.octavo") return {};
  if (!node.domain.empty()) return "the plan has no such operator";
  const auto is_any = [&](auto& list) {
    return std::find(std::begin(list), std::end(list), node.op) != std::end(list);
  };
  if (is_any(kUnary)) return {};
  if (is_any(kBinary)) {
    for (const ir::ValueId in : node.inputs) {
      const Tensor* t = graph.constant(in);
      if (t != nullptr && !row_or_scalar(*t)) return "a constant differs between tokens";
    }
    return {};
  }
  if (node.is("Transpose") && graph.constant(node.input(0)) != nullptr) return {};
  if (node.is("MatMul")) {
    return constant_matrix(graph, node.input(1)) ? "" : "a product without a constant matrix";
  }
  if (node.is("Gemm")) {
    return constant_from(graph, node, 1) ? "" : "a product without a constant matrix";
  }
  if (node.is("LayerNormalization")) {
    return constant_from(graph, node, 1) && node.outputs.size() == 1 ? "" : "parameters vary";
  }
  if (node.is("Gather")) {
    const Tensor *table = graph.constant(node.input(0)), *index = graph.constant(node.input(1));
    const std::int64_t axis = node.attributes.int_or("axis", 0);
    if (table != nullptr && index != nullptr) return {};
    if (table != nullptr && table->rank() == 2 && axis == 0) {
      const ir::Node* from = graph.producer(node.input(1));
      if (index == nullptr && (from == nullptr || from->is("PositionIds", "ai.octavo"))) return {};
      return "the indices of a table are computed";
    }
    if (index != nullptr && index->rank() == 0 && axis == 1 &&
        scalar_constant(graph, node.input(1)) == 0.0) {
      return {};
    }
    return "it reads neither a table nor the first token";
  }
  if (node.is("Slice")) {
    const auto axes = integers_of(graph, node, 3, "axes");
    const bool last = axes && axes->size() == 1 && ((*axes)[0] == -1 || (*axes)[0] == 2);
    return constant_from(graph, node, 1) && last ? "" : "it cuts elsewhere than the last axis";
  }
  if (node.is("Split")) {
    const std::int64_t axis = node.attributes.int_or("axis", 0);
    return constant_from(graph, node, 1) && (axis == -1 || axis == 2)
               ? ""
               : "it cuts elsewhere than the last axis";
  }
  return "the plan has no such operator";
}

}  // namespace

std::vector<std::string> unliftable_nodes(const ir::Graph& graph) {
  std::vector<std::string> out;
  for (const ir::NodeId id : graph.topological_order()) {
    const ir::Node& node = graph.node(id);
    const std::string_view reason = obstacle(graph, node);
    if (reason.empty()) continue;
    out.push_back("node '" + node.name + "' (" + node.op + "): " + std::string(reason));
  }
  return out;
}

void keep_outputs(ir::Graph& graph, const std::vector<std::string>& names) {
  if (!names.empty()) {
    std::vector<ir::Graph::Output> kept;
    for (const std::string& name : names) {
      const auto& all = graph.outputs();
      const auto found = std::find_if(all.begin(), all.end(),
                                      [&](const auto& output) { return output.name == name; });
      if (found == all.end()) {
        std::string known;
        for (const auto& output : all) known += (known.empty() ? "" : ", ") + output.name;
        throw Error(ErrorCode::kNotFound, {.message = "the model has no such output",
                                           .place = "output '" + name + "'",
                                           .expected = "one of " + known,
                                           .fix = "name an output that the model has"});
      }
      kept.push_back(*found);
    }
    graph.set_outputs(std::move(kept));
  }
  graph.remove_dead();
}

LiftReport lift(ir::Graph& graph, const PipelineOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  LiftReport report;
  if (unliftable_nodes(graph).empty()) {  // as the Hugging Face importers build it
    report.lifted = true;
    return report;
  }
  report.passes = run_pipeline(graph, options);
  for (const PassReport& pass : report.passes) {
    for (const std::string& note : pass.near_misses) {
      report.notes.push_back(pass.name + ": " + note);
    }
  }
  const std::vector<std::string> left = unliftable_nodes(graph);
  report.lifted = left.empty();
  report.notes.insert(report.notes.end(), left.begin(), left.end());
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return report;
}

}  // namespace octavo::passes
