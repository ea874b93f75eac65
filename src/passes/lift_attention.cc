// Replaces attention that is written out (products, mask, Softmax, head layout) by
// ai.octavo.Attention, and ai.octavo.RotaryEmbedding before it. attention_match.h finds where it
// is, attention_facts.h what it computes; only what then agrees with the reference on random inputs
// is rewritten.
#include "passes/attention_facts.h"
#include "passes/pass.h"

namespace octavo::passes {
namespace {

struct Found {
  std::string name;
  AttentionMatch match;
  AttentionFacts facts;
};

class Rewriter {
 public:
  Rewriter(ir::Graph& graph, const Found& found, ir::ValueId mask)
      : graph_(graph), found_(found), mask_(found.facts.masked ? mask : ir::kNoValue) {}

  /// Returns what replaces the match's context.
  ir::ValueId run() {
    const AttentionMatch& m = found_.match;
    const AttentionFacts& f = found_.facts;
    const std::int64_t width = m.heads * m.head_size;
    ir::ValueId q, k, v;
    if (m.q.tokens == m.k.tokens && m.q.tokens == m.v.tokens && m.q.channels == 3 * width &&
        f.q_offset == 0 && f.k_offset == width && f.v_offset == 2 * width) {
      const std::vector<ir::ValueId> parts = split(m.q.tokens, width);
      q = parts[0], k = parts[1], v = parts[2];
    } else {
      q = columns(m.q, f.q_offset, width, ".query");
      k = columns(m.k, f.k_offset, width, ".key");
      v = columns(m.v, f.v_offset, width, ".value");
    }
    if (f.inv_freq) {
      const ir::ValueId freq = graph_.add_constant(found_.name + ".inv_freq", *f.inv_freq);
      q = rotate(q, freq, ".query_rotary");
      k = rotate(k, freq, ".key_rotary");
    }
    ir::Attributes attributes;
    attributes.set("num_heads", m.heads);
    attributes.set("scale", f.scale);
    attributes.set("local_window", f.local_window);
    std::vector<ir::ValueId> inputs{q, k, v};
    if (mask_ != ir::kNoValue || f.relative_bias) inputs.push_back(mask_);
    if (f.relative_bias) {
      inputs.push_back(graph_.add_constant(found_.name + ".relative_bias", *f.relative_bias));
    }
    const ir::ValueId out = graph_.emit("Attention", std::move(inputs), std::move(attributes),
                                        "ai.octavo", found_.name + ".attention");
    graph_.replace_uses(m.context, out);
    return out;
  }

 private:
  ir::ValueId integers(const char* what, std::vector<std::int64_t> values) {
    return graph_.add_constant(found_.name + what, Tensor::vector<std::int64_t>(values));
  }

  std::vector<ir::ValueId> split(ir::ValueId tokens, std::int64_t width) {
    ir::Node node;
    node.op = "Split";
    node.name = found_.name + ".split";
    node.attributes.set("axis", std::int64_t{-1});
    node.inputs = {tokens, integers(".split_sizes", {width, width, width})};
    for (const char* part : {".query", ".key", ".value"}) {
      node.outputs.push_back(graph_.add_value(found_.name + part));
    }
    const std::vector<ir::ValueId> out = node.outputs;
    graph_.add_node(std::move(node));
    return out;
  }

  ir::ValueId columns(const Heads& heads, std::int64_t offset, std::int64_t width,
                      const char* part) {
    if (offset == 0 && heads.channels == width) return heads.tokens;
    return graph_.emit("Slice",
                       {heads.tokens, integers(".starts", {offset}),
                        integers(".ends", {offset + width}), integers(".axes", {2})},
                       {}, "", found_.name + part);
  }

  ir::ValueId rotate(ir::ValueId value, ir::ValueId freq, const char* part) {
    ir::Attributes attributes;
    attributes.set("num_heads", found_.match.heads);
    std::vector<ir::ValueId> inputs{value, freq};
    if (mask_ != ir::kNoValue) inputs.push_back(mask_);
    return graph_.emit("RotaryEmbedding", std::move(inputs), std::move(attributes), "ai.octavo",
                       found_.name + part);
  }

  ir::Graph& graph_;
  const Found& found_;
  ir::ValueId mask_;
};

}  // namespace

void lift_attention(ir::Graph& graph, PassContext& context) {
  const Probe& probe = context.probe();
  if (!probe.usable()) return;
  const Readers readers(graph);
  std::vector<Found> all;
  MaskCache masks;
  for (const ir::NodeId id : graph.topological_order()) {
    const ir::Node& node = graph.node(id);
    if (!node.is("Softmax") || !makes_one(node) || !probe.depends_on_data(node.input(0))) continue;
    const std::string where = "node '" + node.name + "' (Softmax)";
    auto match = match_attention(graph, probe, readers, node);
    if (const auto* reason = std::get_if<std::string>(&match)) {
      context.near_miss(where, *reason);
      continue;
    }
    const auto& found = std::get<AttentionMatch>(match);
    auto facts = find_attention_facts(graph, probe, found, masks);
    if (const auto* reason = std::get_if<std::string>(&facts)) {
      context.near_miss(where, *reason);
      continue;
    }
    all.push_back({node.name, found, std::get<AttentionFacts>(std::move(facts))});
  }
  // The probe knows the graph as it was: every match is made and checked before the first edit.
  const ir::ValueId mask = probe.attention_mask();
  for (std::size_t i = 0; i < all.size(); ++i) {
    const ir::ValueId old = all[i].match.context;
    const ir::ValueId now = Rewriter(graph, all[i], mask).run();
    for (std::size_t later = i + 1; later < all.size(); ++later) {
      AttentionMatch& m = all[later].match;
      for (Heads* heads : {&m.q, &m.k, &m.v}) {
        if (heads->tokens == old) heads->tokens = now;
      }
    }
    context.fire();
  }
}

}  // namespace octavo::passes
