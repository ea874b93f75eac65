// The end of graphs that make one vector of a text: the mean of the kept tokens becomes
// ai.octavo.MeanTokens, a choice of the first one Gather(x, 0, axis 1), division by the length of a
// vector ai.octavo.L2Normalize. Exporters write them in many shapes (products with an expanded
// mask, with the mask as a row, clamped divisors, LpNormalization); here too structure says where
// to look, and running the graph what is there.
#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "octavo/error.h"
#include "passes/match.h"
#include "passes/pass.h"

namespace octavo::passes {
namespace {

using ir::kNoValue;
using ir::ValueId;

constexpr std::size_t kDepth = 8;  // nodes from a pooled value back to the tokens
constexpr float kNear = 2e-6f;

Tensor random_tensor(Shape shape) {
  std::mt19937 engine(11);
  std::normal_distribution<float> normal(0.5f, 1.0f);
  Tensor out(DType::kFloat32, std::move(shape));
  for (float& x : out.mutable_data<float>()) x = normal(engine);
  return out;
}

/// The value at `batch` with `given` for `cut`; nothing where the graph's data is needed beside it.
std::optional<Tensor> evaluate(const Probe& probe, const Batch& batch, ValueId wanted, ValueId cut,
                               const Tensor& given) {
  try {
    Tensor out = probe.evaluate_one(batch, wanted, {{cut, given}});
    if (out.dtype() == DType::kFloat32) return out;
    return std::nullopt;
  } catch (const Error&) {
    return std::nullopt;
  }
}

/// C of a value of shape [batch, C] that is made of the model's data.
std::optional<std::int64_t> sequence_channels(const Probe& probe, ValueId value) {
  const ProbeShape* shape = probe.shape(value);
  if (shape == nullptr || shape->size() != 2 || !(*shape)[0].batch() || !(*shape)[1].constant() ||
      probe.dtype(value) != DType::kFloat32 || !probe.depends_on_data(value)) {
    return std::nullopt;
  }
  return (*shape)[1].factor;
}

/// Values [batch, sequence, channels] that `from` is made of, nearest first.
std::vector<ValueId> tokens_behind(const ir::Graph& graph, const Probe& probe, ValueId from,
                                   std::int64_t channels) {
  std::vector<ValueId> out, level{from};
  for (std::size_t depth = 0; depth < kDepth && !level.empty(); ++depth) {
    std::vector<ValueId> next;
    for (const ValueId value : level) {
      const ir::Node* node = graph.producer(value);
      if (node == nullptr) continue;
      for (const ValueId in : node->inputs) {
        if (in == kNoValue || !probe.depends_on_data(in) ||
            std::find(next.begin(), next.end(), in) != next.end()) {
          continue;
        }
        if (probe.token_channels(in) == channels) out.push_back(in);
        next.push_back(in);
      }
    }
    level = std::move(next);
  }
  return out;
}

enum class Kind { kMean, kFirst, kNormalize };

struct Match {
  Kind kind;
  ValueId value, source;  // `value` is what `kind` makes of `source`
  float epsilon = 0;      // of kNormalize
  std::string name;
};

/// What makes `pooled` of `tokens` at one batch: the mean of the kept ones, or the first.
std::optional<Kind> pooling_at(const Probe& probe, const Batch& batch, ValueId pooled,
                               ValueId tokens, std::int64_t channels) {
  const Tensor x = random_tensor({batch.batch, batch.sequence, channels});
  const auto found = evaluate(probe, batch, pooled, tokens, x);
  if (!found || found->shape() != Shape{batch.batch, channels}) return std::nullopt;
  const auto width = static_cast<std::size_t>(channels);
  const auto in = x.data<float>(), out = found->data<float>();
  bool mean = true, first = true;
  for (std::int64_t b = 0; b < batch.batch; ++b) {
    const auto row = static_cast<std::size_t>(b * batch.sequence) * width;
    for (std::size_t c = 0; c < width; ++c) {
      double sum = 0;
      const auto kept = batch.lengths[static_cast<std::size_t>(b)];
      for (std::size_t s = 0; s < static_cast<std::size_t>(kept); ++s)
        sum += in[row + s * width + c];
      const double got = out[static_cast<std::size_t>(b) * width + c];
      const auto near = [&](double wanted) {
        return std::abs(got - wanted) <= kNear * (1 + std::abs(wanted));
      };
      mean &= near(sum / static_cast<double>(kept));
      first &= near(in[row + c]);
    }
  }
  if (mean) return Kind::kMean;
  return first ? std::optional(Kind::kFirst) : std::nullopt;
}

/// What makes `pooled` of `tokens`, whatever the ids.
std::optional<Kind> pooling_of(const Probe& probe, ValueId pooled, ValueId tokens,
                               std::int64_t channels) {
  const auto kind = pooling_at(probe, make_batch(7, {7, 1, 4}), pooled, tokens, channels);
  if (!kind) return std::nullopt;
  const Batch wide = probe.wide_batch(40, {40, 37, 40, 31, 40}, 1);
  return pooling_at(probe, wide, pooled, tokens, channels) == kind ? kind : std::nullopt;
}

/// The least divisor of `unit` = x / max(|x|, least), found on vectors of many lengths; nothing
/// where that is not what it is.
std::optional<float> least_norm(const Probe& probe, ValueId unit, ValueId x,
                                std::int64_t channels) {
  constexpr float kLengths[] = {1.0f, 30.0f, 1e-3f, 1e-16f};
  const Batch batch = make_batch(4, {4, 4, 4, 4});
  Tensor given = random_tensor({batch.batch, channels});
  const auto width = static_cast<std::size_t>(channels);
  const auto in = given.mutable_data<float>();
  std::vector<double> norms;
  for (std::size_t b = 0; b < std::size(kLengths); ++b) {
    double sum = 0;
    for (std::size_t c = b * width; c < (b + 1) * width; ++c) {
      in[c] *= kLengths[b];
      sum += double{in[c]} * double{in[c]};
    }
    norms.push_back(std::sqrt(sum));
  }
  const auto found = evaluate(probe, batch, unit, x, given);
  if (!found || found->shape() != given.shape()) return std::nullopt;
  const auto out = found->data<float>();
  double divisor = 0;
  for (std::size_t b = 0; b < std::size(kLengths); ++b) {
    const bool tiny = b + 1 == std::size(kLengths);
    if (tiny) divisor = double{in[b * width]} / double{out[b * width]};
    if (tiny && !(divisor > 0 && divisor < 1e-6)) return std::nullopt;
    const double by = tiny ? divisor : norms[b];
    for (std::size_t c = b * width; c < (b + 1) * width; ++c) {
      const double wanted = double{in[c]} / by;
      if (!(std::abs(double{out[c]} - wanted) <= kNear * (std::abs(wanted) + (tiny ? 0 : 1))))
        return std::nullopt;
    }
  }
  return divisor > 2 * norms.back() ? static_cast<float>(divisor) : 0.0f;
}

std::optional<Match> match(const ir::Graph& graph, const Probe& probe, const ir::Node& node) {
  if (node.domain == "ai.octavo" || node.is("Gather") || !makes_one(node)) return std::nullopt;
  const ValueId value = node.outputs[0];
  const auto channels = sequence_channels(probe, value);
  if (!channels) return std::nullopt;
  if (probe.attention_mask() != kNoValue) {
    for (const ValueId tokens : tokens_behind(graph, probe, value, *channels)) {
      if (const auto kind = pooling_of(probe, value, tokens, *channels))
        return Match{*kind, value, tokens, 0, node.name};
    }
  }
  for (const ValueId x : node.inputs) {
    if (x == kNoValue || sequence_channels(probe, x) != channels) continue;
    if (const auto least = least_norm(probe, value, x, *channels))
      return Match{Kind::kNormalize, value, x, *least, node.name};
  }
  return std::nullopt;
}

ValueId emit(ir::Graph& graph, const Match& match, ValueId source, ValueId mask) {
  ir::Attributes attributes;
  if (match.kind == Kind::kMean)
    return graph.emit("MeanTokens", {source, mask}, {}, "ai.octavo", match.name + ".mean_tokens");
  if (match.kind == Kind::kFirst) {
    attributes.set("axis", std::int64_t{1});
    const ValueId zero = graph.add_constant("first_token", Tensor::scalar<std::int64_t>(0));
    return graph.emit("Gather", {source, zero}, std::move(attributes));
  }
  attributes.set("epsilon", match.epsilon);
  return graph.emit("L2Normalize", {source}, std::move(attributes), "ai.octavo",
                    match.name + ".l2_normalize");
}

}  // namespace

void lift_pooling(ir::Graph& graph, PassContext& context) {
  const Probe& probe = context.probe();
  if (!probe.usable()) return;
  std::vector<Match> matches;
  for (const ir::NodeId id : graph.topological_order()) {
    if (auto found = match(graph, probe, graph.node(id))) matches.push_back(std::move(*found));
  }
  std::map<ValueId, ValueId> made;
  for (const Match& match : matches) {
    const auto source = made.find(match.source);
    const ValueId out = emit(graph, match, source == made.end() ? match.source : source->second,
                             probe.attention_mask());
    graph.replace_uses(match.value, out);
    made.emplace(match.value, out);
    context.fire();
  }
}

}  // namespace octavo::passes
