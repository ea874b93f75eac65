#include "quant/sensitivity.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <map>
#include <set>

#include "octavo/error.h"
#include "quant/loss.h"
#include "quant/scale.h"
#include "quant/simulate.h"
#include "quant/targets.h"
#include "runtime/graph_runner.h"

namespace octavo::quant {
namespace {

/// Values that are made before some layer and read by it or after it, for any of `layers`: all that
/// a run needs that begins at one of them.
std::set<ir::ValueId> crossing_values(const ir::Graph& graph, const std::set<ir::NodeId>& layers,
                                      const std::map<ir::NodeId, std::size_t>& place) {
  std::set<std::size_t> cuts;
  for (const ir::NodeId id : layers) cuts.insert(place.at(id));
  std::set<ir::ValueId> out;
  for (const auto& [id, at] : place) {
    for (const ir::ValueId in : graph.node(id).inputs) {
      const ir::NodeId made = in == ir::kNoValue ? ir::kNoNode : graph.value(in).producer;
      if (made == ir::kNoNode || !place.contains(made)) continue;
      const auto cut = cuts.upper_bound(place.at(made));
      if (cut != cuts.end() && *cut <= at) out.insert(in);
    }
  }
  return out;
}

bool is_product(const Target& target) {
  return target.kind == TargetKind::kProduct || target.kind == TargetKind::kAttention;
}

}  // namespace

QuantizeOptions measurable(const ir::Graph& graph, const QuantizeOptions& options) {
  QuantizeOptions out = options;
  if (options.mode != QuantizeMode::kStatic && options.mode != QuantizeMode::kDynamic) return out;
  for (const Target& target : quantizable(graph, options).nodes) {
    if (target.kind == TargetKind::kAttention) return out;
  }
  if (options.mode == QuantizeMode::kStatic && options.format == QuantizeFormat::kQOperator)
    out.quantize_outputs = true;
  if (options.format == QuantizeFormat::kQOperator)  // QDQ may have another usual
    out.weight_symmetric = weight_scheme(options).symmetric;
  out.format = QuantizeFormat::kQdq;
  return out;
}

QuantizedLayers quantized_layers(const ir::Graph& graph, const QuantizeOptions& options) {
  const Targets targets = quantizable(graph, options);
  std::map<ir::NodeId, bool> kinds;  // products, others
  for (const Target& target : targets.nodes) kinds.emplace(target.node, is_product(target));
  QuantizedLayers out;
  for (const ir::NodeId id : graph.topological_order()) {
    const auto at = kinds.find(id);
    if (at != kinds.end()) (at->second ? out.products : out.others).push_back(graph.node(id).name);
  }
  return out;
}

std::vector<LayerSensitivity> measure_sensitivity(const ir::Graph& graph,
                                                  const QuantizeOptions& options,
                                                  const Ranges& ranges,
                                                  const std::vector<Sample>& samples, IsaMask isa,
                                                  std::shared_ptr<ThreadPool> pool,
                                                  const CalibrationProgress& progress) {
  if (samples.empty()) throw Error(ErrorCode::kInvalidArgument, "there is no sample");
  const Targets targets = quantizable(graph, options);
  std::map<ir::NodeId, std::size_t> place;
  for (const ir::NodeId id : graph.topological_order()) place.emplace(id, place.size());
  std::set<ir::NodeId> layers;
  for (const Target& target : targets.nodes) {
    if (is_product(target)) layers.insert(target.node);
  }
  std::vector<ir::NodeId> ordered(layers.begin(), layers.end());
  std::ranges::sort(ordered, {}, [&](ir::NodeId id) { return place.at(id); });
  const std::set<ir::ValueId> crossing = crossing_values(graph, layers, place);

  std::vector<Tensor> expected;
  std::vector<ops::Feeds> kept(samples.size());
  {
    runtime::GraphRunner runner(graph, isa, pool);
    for (std::size_t i = 0; i < samples.size(); ++i) {
      const auto tap = [&](ir::ValueId id, const Tensor& tensor) {
        if (crossing.contains(id)) kept[i].emplace(id, tensor);
      };
      expected.push_back(compared_output(runner.run(sample_feeds(graph, samples[i]), tap)));
    }
  }
  std::vector<LayerSensitivity> out;
  const QuantizeOptions measured = measurable(graph, options);
  for (const ir::NodeId layer : ordered) {
    QuantizeOptions alone = measured;
    for (const Target& target : targets.nodes) {
      if (target.node != layer) alone.exclude.push_back(graph.node(target.node).name);
    }
    ir::Graph candidate = graph;
    quantize(candidate, alone, ranges);
    simulate(candidate);
    runtime::GraphRunner runner(std::move(candidate), isa, pool);
    OutputLoss loss;
    for (std::size_t i = 0; i < samples.size(); ++i) {
      ops::Feeds given;
      for (const auto& [id, tensor] : kept[i]) {
        if (place.at(graph.value(id).producer) < place.at(layer)) given.emplace(id, tensor);
      }
      loss.add(expected[i],
               compared_output(runner.run(sample_feeds(graph, samples[i]), {}, given)));
    }
    out.push_back({.node = graph.node(layer).name,
                   .cosine = loss.cosine(),
                   .sqnr_db = loss.sqnr_db(),
                   .place = out.size()});
    if (progress && !progress(out.size(), layers.size(), 0))
      throw Error(ErrorCode::kCancelled, "measuring layers was stopped");
  }
  return out;
}

void rank_layers(std::vector<LayerSensitivity>& layers, SensitivityMetric metric) {
  const auto cost = [&](const LayerSensitivity& layer) {
    if (metric == SensitivityMetric::kNdcg) return layer.score_loss.value_or(0);
    return metric == SensitivityMetric::kCosine ? -layer.cosine : 0;
  };
  std::ranges::sort(layers, [&](const LayerSensitivity& a, const LayerSensitivity& b) {
    const double one = cost(a), other = cost(b);
    if (one != other) return one > other;
    return a.sqnr_db != b.sqnr_db ? a.sqnr_db < b.sqnr_db : a.node < b.node;
  });
}

std::size_t most_gate_evaluations(std::size_t layers) {
  // None in float; 1, 2, 4 ... and all of them; then halves of the last gap.
  const auto doublings = static_cast<std::size_t>(std::bit_width(layers));
  return 1 + doublings + 1 + (doublings > 1 ? doublings - 1 : 0);
}

GateResult find_exclusions(const std::vector<LayerSensitivity>& ranked, const QualityGate& gate) {
  if (!(gate.max_loss >= 0) || gate.max_loss > 1 || !(gate.baseline > 0)) {
    throw Error(ErrorCode::kInvalidArgument, {.message = "the loss budget makes no sense",
                                              .expected = "0 to 100 % of a score above 0",
                                              .found = std::to_string(gate.max_loss * 100) +
                                                       " % of " + std::to_string(gate.baseline)});
  }
  GateResult out;
  const auto worst = [&](std::size_t count) {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < count; ++i) names.push_back(ranked[i].node);
    return names;
  };
  const auto holds = [&](std::size_t count) {
    const double score = gate.score(worst(count));
    const double loss = (gate.baseline - score) / gate.baseline;
    QualityStep& step = out.steps.emplace_back();
    step.excluded = count;
    step.score = score;
    step.loss = loss;
    if (gate.evaluated) gate.evaluated(step);
    if (!(loss <= gate.max_loss)) return false;
    out.excluded = worst(count);
    out.score = score;
    out.loss = loss;
    return true;
  };
  if (holds(0)) return out;
  std::size_t low = 0, high = 1;  // does not hold, holds
  while (high < ranked.size() && !holds(high)) {
    low = high;
    high *= 2;
  }
  if (high >= ranked.size()) {
    high = ranked.size();
    if (!holds(high)) {
      throw Error(
          ErrorCode::kUnsupported,
          {.message = "the quality gate cannot be met",
           .expected = "a loss of at most " + std::to_string(gate.max_loss * 100) + " %",
           .found = std::to_string(out.steps.back().loss * 100) + " % with every product in float",
           .fix = "keep the tables in float (--tables float), or allow a greater loss"});
    }
  }
  while (high - low > 1) {
    const std::size_t middle = low + (high - low) / 2;
    (holds(middle) ? high : low) = middle;
  }
  return out;
}

}  // namespace octavo::quant
