// Gelu from its parts, in any association and order: from an Erf or Tanh, the surrounding
// elementwise nodes are taken for a function of one value, which is compared with Gelu on a row of
// points. What agrees is Gelu, however it is written.
//
//   erf form:  x / 2 * (1 + erf(x / sqrt(2)))
//   tanh form: x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3)))
#include <array>

#include "octavo/error.h"
#include "ops/evaluate.h"
#include "passes/match.h"
#include "passes/pass.h"

namespace octavo::passes {
namespace {

constexpr std::array<float, 11> kPoints = {-5.0f, -3.1f, -2.0f, -1.3f, -0.7f, -0.2f,
                                           0.0f,  0.4f,  1.1f,  2.3f,  4.7f};
constexpr float kTolerance = 2e-6f;
constexpr std::size_t kMostInputs = 6, kMostOutputs = 5;

float gelu(float x, bool tanh_form) {
  const double v = x;
  if (!tanh_form) return static_cast<float>(0.5 * v * (1 + std::erf(v / std::sqrt(2.0))));
  const double argument = std::sqrt(2 / 3.14159265358979323846) * (v + 0.044715 * v * v * v);
  return static_cast<float>(0.5 * v * (1 + std::tanh(argument)));
}

bool elementwise(const ir::Node& node) {
  return node.domain.empty() && makes_one(node) &&
         (node.op == "Mul" || node.op == "Div" || node.op == "Add" || node.op == "Pow");
}

/// Values that `value` is an elementwise function of, nearest first, itself included.
std::vector<ir::ValueId> arguments(const ir::Graph& graph, ir::ValueId value) {
  std::vector<ir::ValueId> out{value};
  for (std::size_t i = 0; i < out.size() && out.size() < kMostInputs; ++i) {
    const ir::Node* node = graph.producer(out[i]);
    if (node == nullptr || !elementwise(*node)) continue;
    for (const ir::ValueId in : node->inputs) {
      if (graph.constant(in) != nullptr) continue;
      if (std::find(out.begin(), out.end(), in) == out.end()) out.push_back(in);
    }
  }
  return out;
}

/// What the value becomes on its single way through elementwise nodes.
std::vector<ir::ValueId> results(const ir::Graph& graph, const Readers& readers,
                                 ir::ValueId value) {
  std::vector<ir::ValueId> out;
  while (out.size() < kMostOutputs) {
    const ir::NodeId reader = readers.only(value);
    if (reader == ir::kNoNode || !elementwise(graph.node(reader))) break;
    value = graph.node(reader).outputs[0];
    out.push_back(value);
  }
  return out;
}

bool is_gelu(const ir::Graph& graph, ir::ValueId x, ir::ValueId y, bool tanh_form) {
  Tensor found;
  try {
    const ops::Feeds feeds{{x, Tensor::vector<float>(kPoints)}};
    found = ops::evaluate(graph, feeds, std::span(&y, 1)).front();
  } catch (const Error&) {
    return false;  // it depends on more than x
  }
  if (found.dtype() != DType::kFloat32 || found.elements() != kPoints.size()) return false;
  for (std::size_t i = 0; i < kPoints.size(); ++i) {
    const float error = std::fabs(found.data<float>()[i] - gelu(kPoints[i], tanh_form));
    if (!(error <= kTolerance)) return false;
  }
  return true;
}

struct Match {
  ir::ValueId x, y;
};

std::optional<Match> match(const ir::Graph& graph, const Readers& readers, const ir::Node& anchor) {
  const bool tanh_form = anchor.is("Tanh");
  const std::vector<ir::ValueId> ends = results(graph, readers, anchor.outputs[0]);
  if (ends.size() < 2) return std::nullopt;
  for (const ir::ValueId x : arguments(graph, anchor.input(0))) {
    for (const ir::ValueId y : ends) {
      if (is_gelu(graph, x, y, tanh_form)) return Match{x, y};
    }
  }
  return std::nullopt;
}

}  // namespace

void fuse_gelu(ir::Graph& graph, PassContext& context) {
  const Readers readers(graph);
  for (const ir::NodeId id : graph.topological_order()) {
    const ir::Node& node = graph.node(id);
    if ((!node.is("Erf") && !node.is("Tanh")) || !makes_one(node)) continue;
    const auto found = match(graph, readers, node);
    if (!found) {
      if (node.is("Erf")) {
        context.near_miss("node '" + node.name + "'", "what surrounds the Erf is not Gelu");
      }
      continue;
    }
    ir::Attributes attributes;
    attributes.set("approximate", std::string(node.is("Tanh") ? "tanh" : "none"));
    const std::string name = node.name + ".fused";
    graph.replace_uses(found->y, graph.emit("Gelu", {found->x}, std::move(attributes), "", name));
    context.fire();
  }
}

}  // namespace octavo::passes
