// SkipLayerNormalization and SkipSimplifiedLayerNormalization: the sum of two token values, with
// the bias of the product before it, and the norm that reads it. The sum itself becomes the fourth
// output where others read it.
#include "passes/pass.h"
#include "passes/token_values.h"

namespace octavo::passes {
namespace {

bool is_rms_norm(const ir::Node& node) {
  return node.is("RMSNormalization") || node.is("SimplifiedLayerNormalization");
}

bool is_norm(const ir::Node& node) { return node.is("LayerNormalization") || is_rms_norm(node); }

struct Skip {
  ir::ValueId sum = ir::kNoValue, input = ir::kNoValue, skip = ir::kNoValue;
  const Tensor* bias = nullptr;
};

/// Takes a bias into the norm where nobody else reads the sum with it.
void absorb_bias(const ir::Graph& graph, const Readers& readers, TokenValues& tokens, Skip* skip) {
  for (ir::ValueId* side : {&skip->input, &skip->skip}) {
    const auto sum = match_row_sum(graph, *side);
    if (!sum || readers.only(*side) == ir::kNoNode) continue;
    if (!as_wide_as_row(graph, tokens, *sum)) continue;
    skip->bias = sum->row;
    *side = sum->value;
    std::swap(*side, skip->input);  // the product first, the residual second
    return;
  }
}

/// A sum that ends with the bias: (a + b) + bias.
std::optional<Skip> match(const ir::Graph& graph, const Readers& readers, TokenValues& tokens,
                          ir::ValueId sum) {
  Skip out{.sum = sum};
  ir::ValueId inner = sum;
  const auto biased = match_row_sum(graph, sum);
  if (biased) {
    if (readers.only(biased->value) == ir::kNoNode) return std::nullopt;
    inner = biased->value;
    out.bias = biased->row;
  }
  const ir::Node* node = graph.producer(inner);
  if (node == nullptr || !node->is("Add")) return std::nullopt;
  out.input = node->input(0), out.skip = node->input(1);
  const auto a = tokens.width(out.input), b = tokens.width(out.skip);
  if (!a || !b || *a != *b) return std::nullopt;
  if (!biased) absorb_bias(graph, readers, tokens, &out);
  if (out.bias != nullptr && out.bias->shape().back() != *a) return std::nullopt;
  return out;
}

void rewrite(ir::Graph& graph, const Readers& readers, const ir::Node& norm, const Skip& skip) {
  const bool simplified = is_rms_norm(norm);
  ir::Node node;
  node.op = simplified ? "SkipSimplifiedLayerNormalization" : "SkipLayerNormalization";
  node.domain = "com.microsoft";
  node.name = norm.name;
  node.attributes.set("epsilon", norm.attributes.float_or("epsilon", 1e-5f));
  node.inputs = {skip.input, skip.skip, norm.input(1)};
  if (!simplified) node.inputs.push_back(norm.input(2));
  if (skip.bias != nullptr) {
    Tensor bias = flat_row(*skip.bias);
    node.inputs.push_back(graph.add_constant(norm.name + ".bias", std::move(bias)));
  }
  const ir::ValueId out = graph.add_value(norm.name + ".out");
  node.outputs = {out};
  const bool shared = readers.only(skip.sum) == ir::kNoNode;
  if (shared) {
    const ir::ValueId sum = graph.add_value(norm.name + ".sum");
    node.outputs.insert(node.outputs.end(), {ir::kNoValue, ir::kNoValue, sum});
  }
  const std::vector<ir::ValueId> outputs = node.outputs;
  graph.add_node(std::move(node));
  graph.replace_uses(norm.outputs[0], out);
  if (shared) graph.replace_uses(skip.sum, outputs[3]);
}

bool may_follow_sum(const ir::Graph& graph, const ir::Node& norm) {
  const ir::Node* from = graph.producer(norm.input(0));
  return from != nullptr && from->is("Add");
}

/// Widths of what is summed before norms.
TokenValues summed_values(const ir::Graph& graph) {
  TokenValues out(graph);
  for (const ir::NodeId id : graph.topological_order()) {
    const ir::Node& node = graph.node(id);
    if (!is_norm(node) || !may_follow_sum(graph, node) || out.width(node.input(0))) continue;
    const Probe probe(graph, Probe::Sizes::kThree);
    if (probe.usable()) out.learn(probe);
    break;
  }
  return out;
}

}  // namespace

void fuse_skip_layer_norm(ir::Graph& graph, PassContext& context) {
  const Readers readers(graph);
  TokenValues tokens = summed_values(graph);
  for (const ir::NodeId id : graph.topological_order()) {
    const ir::Node& node = graph.node(id);
    if (!is_norm(node) || !makes_one(node)) continue;
    const std::string where = "node '" + node.name + "'";
    const auto width = tokens.width(node.input(0));
    const std::int64_t axis = node.attributes.int_or("axis", -1);
    const Tensor *scale = graph.constant(node.input(1)), *shift = graph.constant(node.input(2));
    if (!width) {
      if (may_follow_sum(graph, node))
        context.near_miss(where, "the sum before it is not known to be [batch, sequence, width]");
      continue;
    }
    if ((axis != -1 && axis != 2) || scale == nullptr || scale->rank() != 1 ||
        (node.input(2) != ir::kNoValue && shift == nullptr)) {
      context.near_miss(where, "its parameters vary, or it is not over the last axis");
      continue;
    }
    const auto skip = match(graph, readers, tokens, node.input(0));
    if (!skip) {
      if (may_follow_sum(graph, node))
        context.near_miss(where, "the sum before it is not of two token values");
      continue;
    }
    const ir::Node norm = node;
    rewrite(graph, readers, norm, *skip);
    context.fire();
  }
}

}  // namespace octavo::passes
