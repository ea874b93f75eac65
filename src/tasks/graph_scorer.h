// Scores of one model with different layers quantised: what the quality gate and the ranking by a
// data set's NDCG ask for. Scores that were measured before are not measured again.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ir/graph.h"
#include "octavo/quantize.h"
#include "quant/ranges.h"
#include "tasks/model_files.h"
#include "tasks/quality_scores.h"

namespace octavo::tasks {

class GraphScorer {
 public:
  /// A prepared graph (quant::prepare) and how it is quantised. `identity` names the source and
  /// what happened to the graph since. What is given must live as long as this.
  GraphScorer(const ModelFiles& files, const QuantizeModelOptions& options, const ir::Graph& graph,
              const QuantizeOptions& scheme, const quant::Ranges& ranges,
              const std::string& identity);

  /// The score of the float model.
  double baseline();
  /// The score with these nodes left in float, and everything else quantised that can be.
  double without(const std::vector<std::string>& excluded);
  /// The same of the very graph that is written, run as the file says: slower, and right where
  /// roundings that tie fall otherwise than in float sums.
  double written(const std::vector<std::string>& excluded);
  /// options.describe_score of the float model; loads it where all scores came from an earlier run.
  const std::map<std::string, std::string>& description();
  /// Whether the last score came from an earlier run.
  bool kept() const { return kept_; }

  /// Numbers that belong to this model and recipe beside its scores.
  std::optional<double> find(const std::string& name) const { return scores_.find(recipe_ + name); }
  void put(const std::map<std::string, double>& numbers);

 private:
  void describe(const Embedder& embedder);
  double score(const char* what, const QuantizeOptions& scheme,
               const std::vector<std::string>& excluded, bool simulated);
  bool quantizes_nothing(const std::vector<std::string>& excluded) const;

  const ModelFiles& files_;
  const QuantizeModelOptions& options_;
  const ir::Graph& graph_;
  const QuantizeOptions scheme_, measured_;
  const quant::Ranges& ranges_;
  EmbedderOptions embedder_;
  std::string recipe_;  // its digest and a blank
  QualityScores scores_;
  std::optional<double> baseline_;
  std::map<std::string, std::string> description_;
  bool kept_ = false;
};

}  // namespace octavo::tasks
