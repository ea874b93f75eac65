// What quantising costs layer by layer, and the quality gate built on it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "quant/calibrate.h"
#include "quant/quantize.h"

namespace octavo::quant {

/// What is quantised in a prepared graph, in the graph's order.
struct QuantizedLayers {
  std::vector<std::string> products;  // what is ranked
  std::vector<std::string> others;    // embedding tables
};
QuantizedLayers quantized_layers(const ir::Graph& graph, const QuantizeOptions& options);

/// Quantises each product of a prepared graph alone, with the options asked for, and compares the
/// first output with that of the float graph; in the graph's order. Static modes need the ranges.
/// What a layer does not depend on is computed once a sample, so that the layers near the end cost
/// little. Integer forms are measured through the floats that give the same numbers (simulate.h).
/// `progress` counts layers.
std::vector<LayerSensitivity> measure_sensitivity(const ir::Graph& graph,
                                                  const QuantizeOptions& options,
                                                  const Ranges& ranges,
                                                  const std::vector<Sample>& samples, IsaMask isa,
                                                  std::shared_ptr<ThreadPool> pool,
                                                  const CalibrationProgress& progress = {});

/// The worst first: least SQNR, least cosine, or greatest loss of score (kNdcg, where all have
/// one). SQNR and then the name decide between equals.
void rank_layers(std::vector<LayerSensitivity>& layers, SensitivityMetric metric);

/// The options whose graph is measured in place of `options`': QDQ for dynamic and static, with the
/// same roundings. A graph with com.microsoft.Attention among its targets has no such twin and is
/// measured as it is.
QuantizeOptions measurable(const ir::Graph& graph, const QuantizeOptions& options);

/// Excludes no node but the exact names: what has '*' or '?' in a name of its own would match more.
struct QualityGate {
  double max_loss = 0;  // of the baseline: 0.005 is 0.5 %
  double baseline = 0;  // score of the float graph; larger is better
  /// Score of the graph with these layers left in float.
  std::function<double(const std::vector<std::string>& excluded)> score;
  /// Told of every evaluation.
  std::function<void(QualityStep& step)> evaluated{};
};

struct GateResult {
  std::vector<std::string> excluded;  // the worst layers, worst first
  double score = 0, loss = 0;         // with them in float; loss as a share of the baseline
  std::vector<QualityStep> steps;     // every evaluation, in its order
};

/// How many evaluations find_exclusions() takes at most.
std::size_t most_gate_evaluations(std::size_t layers);

/// The fewest of the worst layers that must stay float for the loss to be within the budget, by
/// doubling and then bisecting over the ranked list; what is returned was measured.
/// Error(kUnsupported) when the budget does not hold with all of them in float.
GateResult find_exclusions(const std::vector<LayerSensitivity>& ranked, const QualityGate& gate);

}  // namespace octavo::quant
