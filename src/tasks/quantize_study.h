// What quantising a model with texts at hand can do beyond ranges: smooth activations, measure what
// each layer costs, and keep the layers in float that a quality budget needs.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "octavo/quantize.h"
#include "quant/calibrate.h"
#include "quant/sensitivity.h"
#include "tasks/graph_scorer.h"
#include "tasks/model_files.h"

namespace octavo::tasks {

/// One quantisation of one model. The graph is the prepared one (quant::prepare) throughout; call
/// in this order what the options ask for.
class QuantizeStudy {
 public:
  /// `digest` names the model in caches. Reads the texts when something needs them:
  /// static mode, SmoothQuant, sensitivity, a quality gate.
  QuantizeStudy(const ModelFiles& files, const QuantizeModelOptions& options, std::string digest);

  /// SmoothQuant, with the alpha of the options or the best of 0, 0.1 ... 1.
  void smooth(ir::Graph& graph, QuantizeResult& result);
  /// Ranges for static mode; none for the others.
  void calibrate(const ir::Graph& graph, QuantizeResult& result);
  const quant::Ranges& ranges() const { return ranges_; }
  /// The table of layers, by the metric of the options.
  void rank(const ir::Graph& graph, QuantizeResult& result);
  /// Adds the layers that must stay float to the exclusions of `scheme`.
  void meet_budget(const ir::Graph& graph, QuantizeOptions& scheme, QuantizeResult& result);

 private:
  /// What is scored before has the numbers of the file up to the order of float sums. That decides
  /// roundings that tie, and so now and then a rank: the file itself has the last word, and more
  /// layers stay float where it loses more than the budget. `begin` is called before each score.
  void hold_in_file(GraphScorer& scores, QuantizeResult& result,
                    const std::function<void()>& begin);
  const std::vector<quant::Sample>& samples();
  /// A few short ones, for what runs the graph often.
  std::vector<quant::Sample> probe_samples();
  /// One pass over `texts`; stops with kCancelled when `progress` or the options say so.
  quant::Calibration run(const ir::Graph& graph, const std::vector<quant::Sample>& texts,
                         const std::vector<std::string>& values,
                         const std::vector<std::string>& channels, const std::string& cache,
                         const quant::CalibrationProgress& progress);
  double probe_loss(const ir::Graph& graph, const ir::Graph& smoothed,
                    const std::vector<quant::Sample>& texts);
  void report(const char* stage, std::size_t done, std::size_t total) const;
  GraphScorer& scorer(const ir::Graph& graph);
  /// Every product alone, by the output of the model; in the model's order.
  std::vector<LayerSensitivity> compare_outputs(const ir::Graph& graph);
  /// The same by the score.
  void score_alone(const ir::Graph& graph, std::vector<LayerSensitivity>& layers);

  const ModelFiles& files_;
  const QuantizeModelOptions& options_;
  std::string digest_, smoothing_;
  IsaMask isa_;
  std::shared_ptr<ThreadPool> pool_;
  std::vector<quant::Sample> samples_;
  quant::Ranges ranges_;
  std::unique_ptr<GraphScorer> scorer_;  // of the smoothed graph, once ranges are known
};

}  // namespace octavo::tasks
