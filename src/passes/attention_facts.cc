#include "passes/attention_facts.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <span>

#include "octavo/error.h"
#include "ops/op.h"

namespace octavo::passes {
namespace {

/// A local window is looked for up to this distance; the check of the mask needs its square.
constexpr std::int64_t kMaskSequence = 600;
constexpr std::int64_t kShortMaskSequence = 100;  // for masks that are cut from a short constant
constexpr std::int64_t kBiasSequence = 300;
constexpr std::int64_t kRotarySequence = 300;
constexpr double kTolerance = 1e-4;

struct Refusal {
  std::string reason;
};

[[noreturn]] void refuse(std::string reason) { throw Refusal{std::move(reason)}; }

class Finder {
 public:
  Finder(const ir::Graph& graph, const Probe& probe, const AttentionMatch& match)
      : graph_(graph), probe_(probe), m_(match) {}

  AttentionFacts find(MaskCache& masks) {
    AttentionFacts facts;
    const double q = layout(m_.q, false, "query", &facts.q_offset);
    const double k = layout(m_.k, true, "key", &facts.k_offset);
    const double v = layout(m_.v, false, "value", &facts.v_offset);
    if (std::fabs(v - 1) > 1e-6) refuse("the values are scaled");
    facts.scale = combined_scale(q * k);
    facts.inv_freq = rotary();
    const auto known = masks.find(m_.mask_key);
    const MaskRule rule = known != masks.end() ? known->second : mask_rule();
    masks[m_.mask_key] = rule;
    if (rule.masked && probe_.attention_mask() == ir::kNoValue) {
      refuse("the mask is made of ids, and there is no attention_mask");
    }
    facts.masked = rule.masked;
    facts.local_window = rule.local_window;
    facts.relative_bias = rule.relative_bias;
    check(facts);
    return facts;
  }

 private:
  std::int64_t width() const { return m_.heads * m_.head_size; }

  /// Index of element d of head n of token s in the flat operand of one row.
  std::size_t at(bool transposed, std::int64_t n, std::int64_t s, std::int64_t d,
                 std::int64_t sequence) const {
    const std::int64_t D = m_.head_size;
    return static_cast<std::size_t>(transposed ? (n * D + d) * sequence + s
                                               : (n * sequence + s) * D + d);
  }

  /// Feeds c + 1 for channel c; at position 0 every rotary form is the identity. Returns the scale.
  double layout(const Heads& heads, bool transposed, const std::string& what,
                std::int64_t* offset) const {
    Tensor feed(DType::kFloat32, {1, 2, heads.channels});
    for (std::int64_t i = 0; i < 2 * heads.channels; ++i) {
      feed.mutable_data<float>()[static_cast<std::size_t>(i)] =
          static_cast<float>(i % heads.channels + 1);
    }
    const Tensor found =
        probe_.evaluate_one(make_batch(2, {2}), heads.value, {{heads.tokens, std::move(feed)}});
    if (found.dtype() != DType::kFloat32 ||
        found.elements() != static_cast<std::size_t>(2 * width())) {
      refuse("the heads of the " + what + " are not float32 of the expected size");
    }
    const auto x = found.data<float>();
    const double first = x[at(transposed, 0, 0, 0, 2)];
    const double scale = double{x[at(transposed, 0, 0, 1, 2)]} - first;
    const double channel = first / scale - 1;  // no number where the scale is 0
    const auto widest = static_cast<double>(heads.channels - width());
    *offset = channel > -0.5 && channel < widest + 0.5 ? std::llround(channel) : -1;
    if (*offset < 0) {
      refuse("the heads of the " + what + " are not adjacent channels");
    }
    for (std::int64_t n = 0; n < m_.heads; ++n) {
      for (std::int64_t d = 0; d < m_.head_size; ++d) {
        const double want = scale * static_cast<double>(*offset + n * m_.head_size + d + 1);
        if (std::fabs(x[at(transposed, n, 0, d, 2)] - want) > 1e-3 * std::fabs(scale)) {
          refuse("the heads of the " + what + " are not adjacent channels in order");
        }
      }
    }
    return scale;
  }

  Tensor uniform_scores(std::int64_t sequence, float value, std::int64_t heads = 1) const {
    const ProbeShape* shape = probe_.shape(m_.scores);
    if (shape == nullptr || shape->size() < 3) refuse("the scores have no clear shape");
    Shape dims(shape->size(), 1);
    dims[dims.size() - 1] = dims[dims.size() - 2] = sequence;
    dims[dims.size() - 3] = heads;
    Tensor out(DType::kFloat32, std::move(dims));
    std::fill_n(out.mutable_data<float>().data(), out.elements(), value);
    return out;
  }

  /// `operands` times the scale between the scores and the Softmax.
  float combined_scale(double operands) const {
    const Batch batch = make_batch(2, {2});
    const auto logit = [&](float score) {
      const Tensor found =
          probe_.evaluate_one(batch, m_.logits, {{m_.scores, uniform_scores(2, score)}});
      if (found.dtype() != DType::kFloat32 || found.elements() == 0) {
        refuse("the scores are not float32");
      }
      return double{found.data<float>()[0]};
    };
    const double scale = operands * (logit(1) - logit(0));
    const double usual = 1 / std::sqrt(static_cast<double>(m_.head_size));
    return static_cast<float>(std::fabs(scale - usual) < 1e-5 * usual ? usual : scale);
  }

  /// The argument of the Cos that the query is multiplied by, at position 1.
  std::optional<Tensor> rotary() const {
    const bool q = !m_.q.factors.empty(), k = !m_.k.factors.empty();
    if (!q && !k) return std::nullopt;
    ir::ValueId argument = ir::kNoValue;
    std::vector<ir::ValueId> pending = m_.q.factors, visited;
    while (!pending.empty() && argument == ir::kNoValue) {
      const ir::ValueId value = pending.back();
      pending.pop_back();
      const ir::Node* node = graph_.producer(value);
      if (node == nullptr || std::find(visited.begin(), visited.end(), value) != visited.end()) {
        continue;
      }
      visited.push_back(value);
      if (node->is("Cos")) argument = node->input(0);
      pending.insert(pending.end(), node->inputs.begin(), node->inputs.end());
    }
    if (argument == ir::kNoValue) return std::nullopt;  // a scale, which layout() found
    const Tensor found =
        probe_.evaluate_one(make_batch(kRotarySequence, {kRotarySequence}), argument);
    const std::int64_t half = m_.head_size / 2;
    const bool clear =
        found.dtype() == DType::kFloat32 && found.rank() >= 2 && found.elements() != 0;
    const std::int64_t rows = clear ? found.dim(found.rank() - 2) : 0;
    const std::int64_t columns = clear ? found.dim(found.rank() - 1) : 0;
    const bool by_row = rows == kRotarySequence && columns >= half;
    const bool by_column = columns == kRotarySequence && rows >= half;  // transposed after Cos
    if (!by_row && !by_column) refuse("the angles of the rotary embedding have no clear shape");
    const auto angles = found.data<float>();
    const auto angle = [&](std::int64_t s, std::int64_t d) {
      return angles[static_cast<std::size_t>(by_row ? s * columns + d : d * columns + s)];
    };
    std::vector<float> inv_freq;
    for (std::int64_t d = 0; d < half; ++d) inv_freq.push_back(angle(1, d));
    for (std::int64_t s = 0; s < kRotarySequence; ++s) {
      for (std::int64_t d = 0; d < half; ++d) {
        const double want = static_cast<double>(s) * double{inv_freq[static_cast<std::size_t>(d)]};
        if (!(std::fabs(angle(s, d) - want) <= 1e-5 * want)) {
          refuse("the angles of the rotary embedding do not grow with the position");
        }
      }
    }
    return Tensor::from<float>({half}, inv_freq);
  }

  /// What is added to equal scores of kept tokens, where it is a number for each head and distance
  /// that stays the same beyond some distance; nothing where it is 0.
  std::optional<Tensor> relative_bias() const {
    const Tensor found =
        probe_.evaluate_one(make_batch(kBiasSequence, {kBiasSequence}), m_.logits,
                            {{m_.scores, uniform_scores(kBiasSequence, 0, m_.heads)}});
    const auto plane = static_cast<std::size_t>(kBiasSequence * kBiasSequence);
    if (found.dtype() != DType::kFloat32 ||
        found.elements() != static_cast<std::size_t>(m_.heads) * plane) {
      return std::nullopt;
    }
    const auto x = found.data<float>();
    const auto zero = [](float value) { return value == 0; };
    if (std::all_of(x.begin(), x.end(), zero)) return std::nullopt;
    if (!std::all_of(x.begin(), x.end(), [](float v) { return std::fabs(v) < 1e3f; })) {
      return std::nullopt;  // keys without weight: a matter of the mask
    }
    constexpr std::int64_t kFarthest = kBiasSequence - 1;
    const auto at = [&](std::int64_t n, std::int64_t i, std::int64_t j) {
      return x[static_cast<std::size_t>((n * kBiasSequence + i) * kBiasSequence + j)];
    };
    const auto bias = [&](std::int64_t n, std::int64_t distance) {
      return distance >= 0 ? at(n, 0, distance) : at(n, -distance, 0);
    };
    std::int64_t radius = 0;
    for (std::int64_t n = 0; n < m_.heads; ++n) {
      for (std::int64_t d = kFarthest; d > radius; --d) {
        if (bias(n, d) != bias(n, d - 1) || bias(n, -d) != bias(n, 1 - d)) radius = d;
      }
    }
    if (radius > kFarthest / 2) refuse("the bias of the scores grows with the distance");
    Tensor out(DType::kFloat32, {m_.heads, 2 * radius + 1});
    for (std::int64_t n = 0; n < m_.heads; ++n) {
      for (std::int64_t d = -radius; d <= radius; ++d) {
        out.mutable_data<float>()[static_cast<std::size_t>(n * (2 * radius + 1) + radius + d)] =
            bias(n, d);
      }
      for (std::int64_t i = 0; i < kBiasSequence; ++i) {
        for (std::int64_t j = 0; j < kBiasSequence; ++j) {
          if (at(n, i, j) != bias(n, std::clamp(j - i, -radius, radius))) {
            refuse("the bias of the scores depends on more than head and distance");
          }
        }
      }
    }
    return out;
  }

  /// Which keys get weight where all scores are equal.
  MaskRule mask_rule() const {
    std::optional<Tensor> bias;
    try {
      bias = relative_bias();
    } catch (const Error&) {
      bias.reset();  // cut from a short constant: check() would see one
    }
    const auto at = [&](std::int64_t sequence) {
      const std::int64_t length = sequence - 5;
      const MaskRule rule = mask_rule_of(make_batch(sequence, {length}), bias.has_value());
      const MaskRule wide =
          mask_rule_of(probe_.wide_batch(sequence, {length}, 1), bias.has_value());
      if (rule.masked != wide.masked || rule.local_window != wide.local_window) {
        refuse("the mask depends on the ids");
      }
      return rule;
    };
    MaskRule rule;
    try {
      rule = at(kMaskSequence);
    } catch (const Error&) {
      rule = at(kShortMaskSequence);
    }
    rule.relative_bias = bias;
    return rule;
  }

  MaskRule mask_rule_of(const Batch& batch, bool biased) const {
    const std::int64_t sequence = batch.sequence, length = batch.lengths[0];
    const Tensor found =
        probe_.evaluate_one(batch, m_.weights, {{m_.scores, uniform_scores(sequence, 0)}});
    const std::size_t plane = static_cast<std::size_t>(sequence * sequence);
    if (found.dtype() != DType::kFloat32 || found.elements() == 0 ||
        found.elements() % plane != 0) {
      refuse("the attention weights have no clear shape");
    }
    const auto weights = found.data<float>();
    const MaskRule rule = mask_rule_of_plane(weights.first(plane), sequence, length, biased);
    for (std::size_t at = plane; at < weights.size(); at += plane) {
      const MaskRule other =
          mask_rule_of_plane(weights.subspan(at, plane), sequence, length, biased);
      if (other.masked != rule.masked || other.local_window != rule.local_window) {
        refuse("the heads differ in their masks");
      }
    }
    return rule;
  }

  MaskRule mask_rule_of_plane(std::span<const float> weights, std::int64_t sequence,
                              std::int64_t length, bool biased) const {
    const auto weight = [&](std::int64_t i, std::int64_t j) {
      return weights[static_cast<std::size_t>(i * sequence + j)];
    };
    MaskRule rule;
    rule.masked = !(weight(length - 1, sequence - 1) > 0);
    const std::int64_t keys = rule.masked ? length : sequence;
    std::int64_t reach = 0;
    while (reach + 1 < keys && weight(0, reach + 1) > 0) ++reach;
    rule.local_window = reach + 1 == keys ? 0 : reach;
    for (std::int64_t i = 0; i < length; ++i) {
      const std::int64_t low = rule.local_window > 0 ? std::max<std::int64_t>(0, i - reach) : 0;
      const std::int64_t high = rule.local_window > 0 ? std::min(keys - 1, i + reach) : keys - 1;
      const double expected = 1.0 / static_cast<double>(high - low + 1);
      for (std::int64_t j = 0; j < sequence; ++j) {
        const double want = j >= low && j <= high ? expected : 0;
        const bool right = biased ? (weight(i, j) > 0) == (want > 0)
                                  : std::fabs(weight(i, j) - want) <= 1e-4 * want;
        if (!right) {
          refuse("the mask is neither padding nor a local window (query " + std::to_string(i) +
                 ", key " + std::to_string(j) + ")");
        }
      }
    }
    return rule;
  }

  Tensor random(std::int64_t batch, std::int64_t sequence, std::int64_t channels,
                unsigned seed) const {
    std::minstd_rand engine(seed);
    Tensor out(DType::kFloat32, {batch, sequence, channels});
    for (float& x : out.mutable_data<float>()) {
      const double unit = static_cast<double>(engine()) / 2147483647.0;
      x = static_cast<float>((unit - 0.5) * 3.4);  // unit variance
    }
    return out;
  }

  Tensor columns(const Tensor& x, std::int64_t offset) const {
    Tensor out(DType::kFloat32, {x.dim(0), x.dim(1), width()});
    float* to = out.mutable_data<float>().data();
    for (std::int64_t row = 0; row < x.dim(0) * x.dim(1); ++row) {
      const float* from = x.data<float>().data() + row * x.dim(2) + offset;
      to = std::copy(from, from + width(), to);
    }
    return out;
  }

  static Tensor call(const std::string& op, ir::Attributes attributes,
                     std::vector<const Tensor*> inputs) {
    ir::Node node;
    node.op = op;
    node.domain = "ai.octavo";
    node.attributes = std::move(attributes);
    const ops::OpDef* def = ops::find_op(node.op, node.domain);
    if (def == nullptr) throw Error(ErrorCode::kInternal, "no operator ai.octavo." + op);
    return def->reference({node, inputs}).front();
  }

  /// The whole, on random tokens, against the reference.
  void check(const AttentionFacts& facts) const {
    const Batch batch = probe_.wide_batch(9, {9, 4, 7}, 0);
    ops::Feeds feeds;
    unsigned seed = 1;
    for (const Heads* heads : {&m_.q, &m_.k, &m_.v}) {
      if (feeds.contains(heads->tokens)) continue;
      feeds[heads->tokens] = random(batch.batch, batch.sequence, heads->channels, ++seed);
    }
    Tensor q = columns(feeds[m_.q.tokens], facts.q_offset);
    Tensor k = columns(feeds[m_.k.tokens], facts.k_offset);
    const Tensor v = columns(feeds[m_.v.tokens], facts.v_offset);
    const Tensor mask = Tensor::from<std::int64_t>({batch.batch, batch.sequence}, batch.mask);
    const Tensor* given_mask = facts.masked ? &mask : nullptr;
    ir::Attributes attributes;
    attributes.set("num_heads", m_.heads);
    if (facts.inv_freq) {
      q = call("RotaryEmbedding", attributes, {&q, &*facts.inv_freq, given_mask});
      k = call("RotaryEmbedding", attributes, {&k, &*facts.inv_freq, given_mask});
    }
    attributes.set("scale", facts.scale);
    attributes.set("local_window", facts.local_window);
    const Tensor* bias = facts.relative_bias ? &*facts.relative_bias : nullptr;
    const Tensor expected = call("Attention", attributes, {&q, &k, &v, given_mask, bias});
    const Tensor found = probe_.evaluate_one(batch, m_.context, feeds);
    if (found.dtype() != DType::kFloat32 || found.shape() != expected.shape()) {
      refuse("the result has another shape");
    }
    double worst = 0, largest = 1;
    for (std::size_t i = 0; i < found.elements(); ++i) {
      const auto token = static_cast<std::int64_t>(i) / width();
      if (!batch.kept(token / batch.sequence, token % batch.sequence)) continue;
      const double want = expected.data<float>()[i];
      const double error = std::fabs(found.data<float>()[i] - want);
      worst = std::max(worst, std::isnan(error) ? HUGE_VAL : error);
      largest = std::max(largest, std::fabs(want));
    }
    if (!(worst <= kTolerance * largest)) {
      refuse("it computes something else than attention (largest difference " +
             std::to_string(worst) + ")");
    }
  }

  const ir::Graph& graph_;
  const Probe& probe_;
  const AttentionMatch& m_;
};

}  // namespace

std::variant<AttentionFacts, std::string> find_attention_facts(const ir::Graph& graph,
                                                               const Probe& probe,
                                                               const AttentionMatch& match,
                                                               MaskCache& masks) {
  try {
    return Finder(graph, probe, match).find(masks);
  } catch (const Refusal& refusal) {
    return refusal.reason;
  } catch (const Error& error) {
    return error.info().message + (error.info().place.empty() ? "" : ", " + error.info().place);
  }
}

}  // namespace octavo::passes
