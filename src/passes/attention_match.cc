#include "passes/attention_match.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace octavo::passes {
namespace {

constexpr std::size_t kMostSteps = 24;    // from the scores to the Softmax, and the like
constexpr std::size_t kMostVisited = 64;  // from an operand back to its token value

bool one_of(std::string_view op, std::initializer_list<std::string_view> ops) {
  return std::find(ops.begin(), ops.end(), op) != ops.end();
}

/// Ops that only move elements, and what scaling and rotary embedding are made of.
bool rearranges(const ir::Node& node) {
  return node.domain.empty() &&
         one_of(node.op, {"Reshape", "Transpose", "Squeeze", "Unsqueeze", "Split", "Slice",
                          "Gather", "Flatten", "Identity", "Cast", "Concat", "Mul", "Div", "Neg",
                          "Add", "Sub", "Expand"});
}

class Matcher {
 public:
  Matcher(const ir::Graph& graph, const Probe& probe, const Readers& readers)
      : graph_(graph), probe_(probe), readers_(readers) {}

  std::variant<AttentionMatch, std::string> match(const ir::Node& softmax) {
    out_.logits = softmax.input(0);
    if (!find_scores() || !find_weights(softmax.outputs[0]) || !find_sizes() ||
        !find_tokens(&out_.q, "the query") || !find_tokens(&out_.k, "the key") ||
        !find_tokens(&out_.v, "the value") || !find_context()) {
      return reason_;
    }
    return std::move(out_);
  }

 private:
  bool fail(std::string reason) {
    reason_ = std::move(reason);
    return false;
  }

  std::vector<ir::ValueId> data_inputs(const ir::Node& node) const {
    std::vector<ir::ValueId> out;
    for (const ir::ValueId in : node.inputs) {
      if (!probe_.depends_on_data(in)) continue;
      if (std::find(out.begin(), out.end(), in) == out.end()) out.push_back(in);
    }
    return out;
  }

  bool find_scores() {
    ir::ValueId value = out_.logits;
    for (std::size_t step = 0; step < kMostSteps; ++step) {
      const ir::Node* node = graph_.producer(value);
      if (node == nullptr) break;
      if (node->is("MatMul")) {
        if (!probe_.depends_on_data(node->input(0)) || !probe_.depends_on_data(node->input(1))) {
          break;
        }
        out_.scores = value;
        out_.q.value = node->input(0);
        out_.k.value = node->input(1);
        return true;
      }
      const std::vector<ir::ValueId> data = data_inputs(*node);
      if (data.size() != 1) return fail("the scores are combined with other data of the model");
      out_.mask_key += node->op;
      for (const ir::ValueId in : node->inputs) {
        const auto scalar = scalar_constant(graph_, in);
        out_.mask_key += in == data[0] ? " scores"
                         : scalar      ? " =" + std::to_string(*scalar)
                                       : " #" + std::to_string(in);
      }
      out_.mask_key += '\n';
      value = data[0];
    }
    return fail("the scores are no product of two token values");
  }

  /// Readers that use the elements of a value.
  std::vector<ir::NodeId> element_readers(ir::ValueId value) const {
    std::vector<ir::NodeId> out = readers_.of(value);
    std::erase_if(out, [&](ir::NodeId id) {
      const std::string& op = graph_.node(id).op;
      return op == "Shape" || op == "Size" || op == "IsNaN";
    });
    return out;
  }

  bool find_weights(ir::ValueId value) {
    for (std::size_t step = 0; step < kMostSteps; ++step) {
      const std::vector<ir::NodeId> all = element_readers(value);
      if (all.size() != 1 || readers_.is_output(value)) {
        return fail("the attention weights have more than one reader");
      }
      const ir::Node& node = graph_.node(all[0]);
      if (!makes_one(node)) break;
      if (node.is("MatMul")) {
        if (node.input(0) != value) return fail("the attention weights multiply from the right");
        out_.weights = value;
        out_.v.value = node.input(1);
        product_ = node.outputs[0];
        if (!probe_.depends_on_data(out_.v.value)) return fail("the values are constant");
        return true;
      }
      value = node.outputs[0];
    }
    return fail("the attention weights multiply nothing");
  }

  /// batch * sequence * heads rows of head_size elements.
  bool find_sizes() {
    const ProbeShape *q = probe_.shape(out_.q.value), *p = probe_.shape(product_);
    if (q == nullptr || p == nullptr || q->size() < 3 || !q->back().constant()) {
      return fail("the heads have no clear shape");
    }
    out_.head_size = q->back().factor;
    out_.heads = 1;
    int batches = 0, sequences = 0;
    for (std::size_t i = 0; i + 1 < q->size(); ++i) {
      out_.heads *= (*q)[i].factor;
      batches += (*q)[i].batch_power;
      sequences += (*q)[i].sequence_power;
    }
    if (batches != 1 || sequences != 1 || out_.head_size < 2 || *p != *q) {
      return fail("the heads have no clear shape");
    }
    return true;
  }

  bool find_tokens(Heads* heads, const char* what) {
    std::vector<ir::ValueId> pending{heads->value}, visited;
    while (!pending.empty()) {
      const ir::ValueId value = pending.back();
      pending.pop_back();
      if (std::find(visited.begin(), visited.end(), value) != visited.end()) continue;
      visited.push_back(value);
      if (const auto channels = probe_.token_channels(value)) {
        if (heads->tokens != ir::kNoValue && heads->tokens != value) {
          return fail(std::string(what) + " comes from several token values");
        }
        heads->tokens = value;
        heads->channels = *channels;
        continue;
      }
      const ir::Node* node = graph_.producer(value);
      if (node == nullptr || !rearranges(*node) || visited.size() > kMostVisited) {
        return fail(std::string(what) + " is no rearrangement of a token value (" +
                    (node == nullptr ? "an input" : node->op) + ")");
      }
      for (const ir::ValueId in : node->inputs) {
        if (probe_.depends_on_data(in)) {
          pending.push_back(in);
        } else if (node->is("Mul") && in != ir::kNoValue) {
          heads->factors.push_back(in);
        }
      }
    }
    return heads->tokens != ir::kNoValue || fail(std::string(what) + " has no token value");
  }

  bool find_context() {
    ir::ValueId value = product_;
    for (std::size_t step = 0; step < kMostSteps; ++step) {
      if (probe_.token_channels(value) == out_.heads * out_.head_size) {
        out_.context = value;
        return true;
      }
      const std::vector<ir::NodeId> all = element_readers(value);
      if (all.size() != 1 || readers_.is_output(value) || !rearranges(graph_.node(all[0])) ||
          !makes_one(graph_.node(all[0]))) {
        break;
      }
      value = graph_.node(all[0]).outputs[0];
    }
    return fail("the heads are not joined to a token value");
  }

  const ir::Graph& graph_;
  const Probe& probe_;
  const Readers& readers_;
  AttentionMatch out_;
  ir::ValueId product_ = ir::kNoValue;  // weights . v
  std::string reason_;
};

}  // namespace

std::variant<AttentionMatch, std::string> match_attention(const ir::Graph& graph,
                                                          const Probe& probe,
                                                          const Readers& readers,
                                                          const ir::Node& softmax) {
  return Matcher(graph, probe, readers).match(softmax);
}

}  // namespace octavo::passes
