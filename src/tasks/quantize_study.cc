#include "tasks/quantize_study.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>

#include "formats/sha256.h"
#include "octavo/error.h"
#include "quant/loss.h"
#include "quant/simulate.h"
#include "quant/smooth.h"
#include "quant/targets.h"
#include "runtime/graph_runner.h"
#include "tasks/calibration_texts.h"
#include "tasks/export_steps.h"

namespace octavo::tasks {
namespace {

// Texts and tokens that measure a layer or an alpha.
constexpr std::size_t kProbeSamples = 8, kProbeTokens = 128;
// A file that loses too much leaves one product more in float, or this share of what it has there.
constexpr std::size_t kMoreExcluded = 8;

std::string digest_of(const std::vector<quant::Sample>& samples) {
  std::vector<std::byte> bytes;
  for (const quant::Sample& sample : samples) {
    const auto ids = std::as_bytes(std::span<const std::int32_t>(sample.ids));
    bytes.insert(bytes.end(), ids.begin(), ids.end());
    bytes.resize(bytes.size() + sizeof(std::int32_t), std::byte{0xff});  // no id is -1
  }
  return formats::sha256(bytes);
}

/// What the factors of SmoothQuant depend on beside the model and the texts: a product that stays
/// float has no say in the factor of its input.
std::string smoothing_identity(double alpha, const QuantizeOptions& scheme) {
  std::array<char, 32> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), alpha).ptr;
  std::string out(digits.data(), end);
  if (!scheme.exclude.empty()) out += " without " + joined(scheme.exclude);
  if (!scheme.exclude_ops.empty()) out += " without operators " + joined(scheme.exclude_ops);
  return out;
}

}  // namespace

QuantizeStudy::QuantizeStudy(const ModelFiles& files, const QuantizeModelOptions& options,
                             std::string digest)
    : files_(files),
      options_(options),
      digest_(std::move(digest)),
      isa_(parse_isa(options.isa, detect_isa())),
      pool_(std::make_shared<ThreadPool>(options.threads)) {
  const bool by_score =
      options.sensitivity && options.sensitivity_metric == SensitivityMetric::kNdcg;
  if ((options.max_loss || by_score) && !options.score) {
    throw Error(ErrorCode::kInvalidArgument,
                {.message = "a loss of quality needs something to measure it on",
                 .expected = "a BEIR directory",
                 .found = "none",
                 .fix = "--eval DIR"});
  }
  // Before anything takes time.
  if (needs_calibration_texts(options)) samples();
}

const std::vector<quant::Sample>& QuantizeStudy::samples() {
  if (samples_.empty()) samples_ = calibration_samples(files_, options_.calibration);
  return samples_;
}

std::vector<quant::Sample> QuantizeStudy::probe_samples() {
  std::vector<quant::Sample> out;
  const std::size_t all = samples().size(), wanted = std::min(all, kProbeSamples);
  for (std::size_t i = 0; i < wanted; ++i) {
    quant::Sample sample = samples()[i * all / wanted];
    if (sample.ids.size() > kProbeTokens) {
      sample.ids.erase(sample.ids.begin() + kProbeTokens - 1, sample.ids.end() - 1);
      if (!sample.type_ids.empty()) sample.type_ids.resize(kProbeTokens);
    }
    out.push_back(std::move(sample));
  }
  return out;
}

void QuantizeStudy::report(const char* stage, std::size_t done, std::size_t total) const {
  if (options_.study_progress && !options_.study_progress(stage, done, total))
    throw Error(ErrorCode::kCancelled, "quantising was stopped");
}

quant::Calibration QuantizeStudy::run(const ir::Graph& graph,
                                      const std::vector<quant::Sample>& texts,
                                      const std::vector<std::string>& values,
                                      const std::vector<std::string>& channels,
                                      const std::string& cache,
                                      const quant::CalibrationProgress& progress) {
  quant::CalibrateOptions calibrate{.values = values, .channel_values = channels, .cache = cache};
  calibrate.observer.method = quant::parse_calibration_method(options_.calibration.method);
  calibrate.observer.symmetric = options_.scheme.activation_symmetric;
  if (options_.calibration.percentile)
    calibrate.observer.percentile = *options_.calibration.percentile;
  if (!cache.empty()) {
    calibrate.identity = "model " + digest_ + " level " + std::to_string(options_.level) +
                         smoothing_ + " texts " + digest_of(texts);
  }
  calibrate.progress = [&](std::size_t done, std::size_t total, std::size_t tokens) {
    const bool go_on = !progress || progress(done, total, tokens);
    return go_on && !(options_.cancelled && options_.cancelled());
  };
  return quant::calibrate(graph, texts, calibrate, isa_, pool_);
}

void QuantizeStudy::smooth(ir::Graph& graph, QuantizeResult& result) {
  if (!options_.smooth_alpha && !options_.smooth_search) return;
  const quant::Targets targets = quant::quantizable(graph, options_.scheme);
  const std::string cache =
      options_.calibration.cache.empty() ? "" : options_.calibration.cache + ".channels";
  const auto maxima = run(graph, samples(), {}, quant::smoothable_values(graph, targets), cache,
                          options_.calibration.progress)
                          .channel_maxima;
  double best = options_.smooth_alpha.value_or(0.5);
  if (options_.smooth_search) {
    const std::vector<quant::Sample> texts = probe_samples();
    constexpr int kSteps = 10;
    double most = 0;
    for (int i = 0; i <= kSteps; ++i) {
      report("alphas", static_cast<std::size_t>(i), kSteps + 1);
      ir::Graph smoothed = graph;
      const double alpha = static_cast<double>(i) / kSteps;
      quant::smooth(smoothed, targets, maxima, alpha);
      const double sqnr = probe_loss(graph, smoothed, texts);
      if (i == 0 || sqnr > most) most = sqnr, best = alpha;
    }
  }
  const quant::SmoothReport report = quant::smooth(graph, targets, maxima, best);
  quant::prepare(graph, options_.scheme);
  smoothing_ = " smooth " + smoothing_identity(best, options_.scheme);
  result.smooth_alpha = best;
  result.smoothed = report.activations;
  result.smoothed_folded = report.folded;
}

double QuantizeStudy::probe_loss(const ir::Graph& graph, const ir::Graph& smoothed,
                                 const std::vector<quant::Sample>& texts) {
  ir::Graph quantized = smoothed;
  const QuantizeOptions scheme = quant::measurable(smoothed, options_.scheme);
  quant::prepare(quantized, scheme);
  quant::Ranges ranges;
  if (scheme.mode == QuantizeMode::kStatic) {
    ranges =
        run(quantized, texts, quant::quantizable(quantized, scheme).activations, {}, "", {}).ranges;
  }
  quant::quantize(quantized, scheme, ranges);
  quant::simulate(quantized);
  runtime::GraphRunner exact(graph, isa_, pool_), rounded(std::move(quantized), isa_, pool_);
  quant::OutputLoss loss;
  for (const quant::Sample& text : texts) {
    const auto feeds = quant::sample_feeds(graph, text);
    loss.add(quant::compared_output(exact.run(feeds)), quant::compared_output(rounded.run(feeds)));
  }
  return loss.sqnr_db();
}

void QuantizeStudy::calibrate(const ir::Graph& graph, QuantizeResult& result) {
  if (options_.scheme.mode != QuantizeMode::kStatic) return;
  // What products give is needed where it is rounded, be that in the file or in what is measured.
  QuantizeOptions scheme = options_.scheme;
  scheme.quantize_outputs |= scheme.format == QuantizeFormat::kQOperator;
  const quant::Calibration found =
      run(graph, samples(), quant::quantizable(graph, scheme).activations, {},
          options_.calibration.cache, options_.calibration.progress);
  result.calibration_samples = found.samples;
  result.calibration_tokens = found.tokens;
  result.calibration_resumed = found.resumed;
  ranges_ = found.ranges;
}

GraphScorer& QuantizeStudy::scorer(const ir::Graph& graph) {
  if (!scorer_) {
    const std::string identity = digest_ + " level " + std::to_string(options_.level) + smoothing_;
    scorer_ =
        std::make_unique<GraphScorer>(files_, options_, graph, options_.scheme, ranges_, identity);
  }
  return *scorer_;
}

std::vector<LayerSensitivity> QuantizeStudy::compare_outputs(const ir::Graph& graph) {
  GraphScorer& known = scorer(graph);
  const std::vector<std::string> names = quant::quantized_layers(graph, options_.scheme).products;
  const std::vector<quant::Sample> texts = probe_samples();
  const std::string prefix = "layer " + digest_of(texts) + " ";
  std::vector<LayerSensitivity> out;
  for (const std::string& name : names) {
    const auto cosine = known.find(prefix + "cosine " + name),
               sqnr = known.find(prefix + "sqnr " + name);
    if (!cosine || !sqnr) break;
    out.push_back({.node = name, .cosine = *cosine, .sqnr_db = *sqnr, .place = out.size()});
  }
  if (out.size() == names.size()) return out;
  out = quant::measure_sensitivity(graph, options_.scheme, ranges_, texts, isa_, pool_,
                                   [&](std::size_t done, std::size_t total, std::size_t) {
                                     return !options_.study_progress ||
                                            options_.study_progress("layers", done, total);
                                   });
  std::map<std::string, double> numbers;
  for (const LayerSensitivity& layer : out) {
    numbers[prefix + "cosine " + layer.node] = layer.cosine;
    numbers[prefix + "sqnr " + layer.node] = layer.sqnr_db;
  }
  known.put(numbers);
  return out;
}

void QuantizeStudy::score_alone(const ir::Graph& graph, std::vector<LayerSensitivity>& layers) {
  const quant::QuantizedLayers names = quant::quantized_layers(graph, options_.scheme);
  report("scored layers", 0, layers.size() + 1);
  const double baseline = scorer(graph).baseline();
  if (!(baseline > 0)) {
    throw Error(ErrorCode::kInvalidArgument,
                {.message = "the float model scores nothing, so that no loss can be measured",
                 .expected = "a score above 0",
                 .found = std::to_string(baseline),
                 .fix = "choose a data set of the model's language and kind"});
  }
  for (std::size_t i = 0; i < layers.size(); ++i) {
    report("scored layers", i + 1, layers.size() + 1);
    std::vector<std::string> others = names.others;
    for (const std::string& name : names.products) {
      if (name != layers[i].node) others.push_back(name);
    }
    layers[i].score_loss = (baseline - scorer(graph).without(others)) / baseline;
  }
}

void QuantizeStudy::rank(const ir::Graph& graph, QuantizeResult& result) {
  if (!options_.sensitivity && !options_.max_loss) return;
  result.sensitivity = compare_outputs(graph);
  if (options_.sensitivity_metric == SensitivityMetric::kNdcg)
    score_alone(graph, result.sensitivity);
  quant::rank_layers(result.sensitivity, options_.sensitivity_metric);
  if (options_.sensitivity_metric == SensitivityMetric::kNdcg)
    result.measured_on = scorer(graph).description();
}

void QuantizeStudy::hold_in_file(GraphScorer& scores, QuantizeResult& result,
                                 const std::function<void()>& begin) {
  std::vector<std::string>& excluded = result.gate_excluded;
  const std::size_t all = result.sensitivity.size();
  for (;;) {
    begin();
    result.score = scores.written(excluded);
    result.loss = (result.baseline_score - result.score) / result.baseline_score;
    result.gate_steps.push_back({.excluded = excluded.size(),
                                 .score = result.score,
                                 .loss = result.loss,
                                 .kept = scores.kept(),
                                 .of_file = true});
    if (options_.evaluated) options_.evaluated(result.gate_steps.back());
    if (result.loss <= *options_.max_loss || excluded.size() == all) return;
    const std::size_t more = std::max<std::size_t>(1, excluded.size() / kMoreExcluded);
    const std::size_t wanted = std::min(all, excluded.size() + more);
    while (excluded.size() < wanted) excluded.push_back(result.sensitivity[excluded.size()].node);
  }
}

void QuantizeStudy::meet_budget(const ir::Graph& graph, QuantizeOptions& scheme,
                                QuantizeResult& result) {
  if (!options_.max_loss) return;
  const std::size_t most = 2 + quant::most_gate_evaluations(result.sensitivity.size());
  std::size_t evaluations = 0;
  report("evaluations", evaluations, most);
  GraphScorer& scores = scorer(graph);
  const double baseline = scores.baseline();
  const quant::GateResult found = quant::find_exclusions(
      result.sensitivity, {.max_loss = *options_.max_loss,
                           .baseline = baseline,
                           .score =
                               [&](const std::vector<std::string>& excluded) {
                                 report("evaluations", ++evaluations, most);
                                 return scores.without(excluded);
                               },
                           .evaluated =
                               [&](QualityStep& step) {
                                 step.kept = scores.kept();
                                 if (options_.evaluated) options_.evaluated(step);
                               }});
  result.baseline_score = baseline;
  result.gate_steps = found.steps;
  result.gate_excluded = found.excluded;
  hold_in_file(scores, result, [&] {
    ++evaluations;
    report("evaluations", evaluations, std::max(most, evaluations + 1));
  });
  scheme.exclude.insert(scheme.exclude.end(), result.gate_excluded.begin(),
                        result.gate_excluded.end());
  result.measured_on = scores.description();
}

}  // namespace octavo::tasks
