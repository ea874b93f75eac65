#include "tasks/graph_scorer.h"

#include <algorithm>

#include "base/build_id.h"
#include "formats/sha256.h"
#include "octavo/embedder.h"
#include "octavo/error.h"
#include "quant/quantize.h"
#include "quant/sensitivity.h"
#include "quant/simulate.h"
#include "tasks/embedder_of_graph.h"
#include "tasks/write_model.h"

namespace octavo::tasks {
namespace {

std::string digest_of(const std::string& text) {
  return formats::sha256(std::as_bytes(std::span(text)));
}

/// Fields of one line, each with its length, so that no two lists give the same text.
class Identity {
 public:
  template <typename T>
  Identity& add(const T& value) {
    if constexpr (std::is_convertible_v<T, std::string>) {
      const std::string& text = value;
      text_ += std::to_string(text.size()) + ":" + text + " ";
    } else if constexpr (std::is_floating_point_v<T>) {
      char digits[64];
      std::snprintf(digits, sizeof digits, "%a ", static_cast<double>(value));
      text_ += digits;
    } else {
      text_ += std::to_string(static_cast<std::int64_t>(value)) + " ";
    }
    return *this;
  }
  template <typename T>
  Identity& add(const std::optional<T>& value) {
    return value ? add(true).add(*value) : add(false);
  }
  Identity& add(const std::vector<std::string>& values) {
    add(values.size());
    for (const std::string& value : values) add(value);
    return *this;
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

/// What decides a score beside the quantisation: the model's files, how texts become vectors, and
/// what they are scored on.
std::string source_identity(const ModelFiles& files, const QuantizeModelOptions& options,
                            const std::string& identity) {
  std::vector<std::string> companions;
  if (!options.score_cache.empty()) {
    for (const Companion& companion : find_companions(files)) companions.push_back(companion.path);
    add_tokenizer_files(files.tokenizer_path(options.calibration.tokenizer), companions);
  }
  const EmbedderOptions& e = options.embedder;
  Identity out;
  out.add(build_id()).add(identity).add(formats::sha256_files(companions)).add(options.isa);
  out.add(e.pooling).add(e.normalize).add(e.dimensions).add(e.max_length);
  return out.add(options.score_identity).text();
}

std::string recipe_identity(const QuantizeOptions& s, const quant::Ranges& ranges) {
  Identity out;
  out.add(s.mode).add(s.format).add(s.weight_type).add(s.activation_type);
  out.add(s.weight_symmetric).add(s.activation_symmetric).add(s.per_channel).add(s.reduce_range);
  out.add(s.tables).add(s.quantize_outputs).add(s.block_size).add(s.accuracy_level);
  out.add(s.keep_io_types).add(s.blocked_ops.has_value());
  if (s.blocked_ops) out.add(*s.blocked_ops);
  out.add(s.exclude).add(s.exclude_ops);
  for (const auto& [name, range] : ranges) out.add(name).add(range.min).add(range.max);
  return out.text();
}

}  // namespace

GraphScorer::GraphScorer(const ModelFiles& files, const QuantizeModelOptions& options,
                         const ir::Graph& graph, const QuantizeOptions& scheme,
                         const quant::Ranges& ranges, const std::string& identity)
    : files_(files),
      options_(options),
      graph_(graph),
      scheme_(scheme),
      measured_(quant::measurable(graph, scheme)),
      ranges_(ranges),
      embedder_(options.embedder),
      recipe_(digest_of(recipe_identity(measured_, ranges)) + " "),
      scores_(options.score_cache, source_identity(files, options, identity)) {
  embedder_.runtime.threads = options.threads;
  embedder_.runtime.isa = options.isa;
  embedder_.runtime.plan_cache.clear();
  if (!options.calibration.tokenizer.empty()) embedder_.tokenizer = options.calibration.tokenizer;
}

void GraphScorer::put(const std::map<std::string, double>& numbers) {
  std::map<std::string, double> named;
  for (const auto& [name, number] : numbers) named.emplace(recipe_ + name, number);
  scores_.put(named);
}

double GraphScorer::baseline() {
  if (baseline_) return *baseline_;
  baseline_ = scores_.find("float");
  kept_ = baseline_.has_value();
  if (baseline_) return *baseline_;
  Embedder exact = Embedder::load(files_.path, embedder_);
  describe(exact);
  baseline_ = options_.score(exact);
  scores_.put({{"float", *baseline_}});
  return *baseline_;
}

void GraphScorer::describe(const Embedder& embedder) {
  if (description_.empty() && options_.describe_score)
    description_ = options_.describe_score(embedder);
}

const std::map<std::string, std::string>& GraphScorer::description() {
  if (description_.empty() && options_.describe_score)
    describe(Embedder::load(files_.path, embedder_));
  return description_;
}

bool GraphScorer::quantizes_nothing(const std::vector<std::string>& excluded) const {
  const quant::QuantizedLayers layers = quant::quantized_layers(graph_, measured_);
  const auto left = [&](const std::string& name) {
    return std::ranges::find(excluded, name) == excluded.end();
  };
  return std::ranges::none_of(layers.products, left) && std::ranges::none_of(layers.others, left);
}

double GraphScorer::without(const std::vector<std::string>& excluded) {
  return score("score ", measured_, excluded, true);
}

double GraphScorer::written(const std::vector<std::string>& excluded) {
  return score("score of the file ", scheme_, excluded, false);
}

double GraphScorer::score(const char* what, const QuantizeOptions& scheme,
                          const std::vector<std::string>& excluded, bool simulated) {
  std::vector<std::string> sorted = excluded;
  std::ranges::sort(sorted);
  Identity names;
  const std::string name = what + digest_of(names.add(sorted).text());
  const auto known = find(name);
  kept_ = known.has_value();
  if (known) return *known;
  if (quantizes_nothing(excluded)) return baseline();
  QuantizeOptions candidate = scheme;
  candidate.exclude.insert(candidate.exclude.end(), excluded.begin(), excluded.end());
  EmbedderOptions embedder = embedder_;
  // Fixed roundings have a packed form; the others are run as the file says.
  embedder.runtime.reference =
      !simulated || scheme.mode != QuantizeMode::kStatic || scheme.format != QuantizeFormat::kQdq;
  Embedder rounded = EmbedderOfGraph::load(files_.path, embedder, [&](ir::Graph& imported) {
    ir::Graph quantized = graph_;
    quant::quantize(quantized, candidate, ranges_);
    if (simulated) quant::simulate(quantized);
    imported = std::move(quantized);
  });
  const double found = options_.score(rounded);
  put({{name, found}});
  return found;
}

}  // namespace octavo::tasks
