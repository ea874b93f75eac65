// Models beside a baseline: how far their embeddings are from its embeddings, what that means for
// retrieval with its uncertainty, how large and how fast they are; and a report as one HTML file.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "octavo/benchmark.h"
#include "octavo/embedder.h"
#include "octavo/evaluation.h"
#include "octavo/quantize.h"

namespace octavo {

/// One of the models; the first one is the baseline.
struct ComparedModel {
  std::string name;  // in tables and charts
  std::string path;
  EmbedderOptions options{};
};

struct CompareOptions {
  std::vector<std::string> datasets{};  // BEIR directories
  std::string split = "test";
  /// Texts whose embeddings are compared; empty: evenly spread documents of the first data set.
  std::vector<std::string> texts{};
  std::size_t text_limit = 500;  // 0: all
  /// Of the texts, as Embedder says for a role; called once a model.
  std::function<std::string(const Embedder&)> query_prompt{}, document_prompt{};
  std::string cache_directory{};       // of embeddings; empty: none
  std::size_t resamples = 10000;       // of the bootstrap
  std::vector<BenchmarkCase> cases{};  // timed; empty: no timing
  bool skip_long_cases = false;  // those of more tokens than a model takes, instead of an Error
  std::size_t rounds = 7;        // turns that the models take in every case
  double min_seconds = 0.1;      // a model, case and round
  /// Return false to stop (Error kCancelled).
  std::function<bool(std::string_view what, std::size_t done, std::size_t total)> progress{};
};

/// Of the embeddings of a model with those of the baseline, text by text.
struct VectorAgreement {
  std::size_t texts = 0;
  double mean_cosine = 1, min_cosine = 1;
  std::vector<std::pair<double, double>> quantiles;  // share of the texts, cosine at most
  double max_absolute_error = 0;
  std::string worst_text;  // the one with the least cosine, its beginning
  bool comparable = true;  // false when the dimensions differ: then nothing else is set
};

/// A metric over the queries of a data set: the model's mean less the baseline's.
struct MetricDifference {
  std::string metric;  // "ndcg_at_10"
  double baseline = 0, value = 0, difference = 0;
  double relative = 0;  // difference / baseline; 0 for a baseline of 0
  Interval ci95;        // of the difference: paired bootstrap over queries, percentiles
  std::size_t better = 0, worse = 0, equal = 0;  // queries
};

struct QueryDifference {
  std::string query;
  double baseline = 0, value = 0;  // NDCG@10
};

struct DatasetComparison {
  std::string dataset;  // the directory's name
  std::size_t documents = 0, queries = 0;
  std::vector<MetricDifference> metrics;  // ndcg_at_10, map_at_1000, recall_at_100
  std::vector<QueryDifference> changed;   // queries whose NDCG@10 changed, largest change first
};

struct ModelSpeed {
  BenchmarkCase what;
  double median_ms = 0;
  BenchmarkRatio to_baseline;  // time of the model / time of the baseline, round by round
};

struct ModelComparison {
  std::string name, path;
  std::string precision;        // that the embeddings were computed in
  std::string timed_precision;  // that token ids were run in; empty where nothing was timed
  std::string isa;
  std::size_t bytes = 0;  // of the files of the weights
  VectorAgreement vectors;
  std::vector<DatasetComparison> datasets;
  std::vector<ModelSpeed> speed;  // in the order of the cases
  /// What the model's record says of its layers, the worst first; none where it says nothing.
  std::vector<LayerSensitivity> sensitivity;
  std::string sensitivity_metric;
};

/// The model in tables of speed, which say what was timed where it is not what made the embeddings.
std::string timed_name(const ModelComparison& model);

struct ComparisonResult {
  std::vector<ModelComparison> models;  // the baseline first
  std::size_t resamples = 0, rounds = 0;
  int threads = 1;
};

/// Errors: kInvalidArgument for fewer than two models, nothing to compare or a case that is too
/// long; those of Embedder::load() and of reading data sets, before anything is evaluated; those of
/// evaluate_retrieval(). The same input gives the same figures, times apart.
ComparisonResult compare_models(const std::vector<ComparedModel>& models,
                                const CompareOptions& options);

/// One HTML file without references to anything else; atomic. Throws kIo.
void write_comparison_report(const std::string& path, const ComparisonResult& result,
                             const std::string& command);

}  // namespace octavo
