// Models beside a baseline.
#include "octavo/compare.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <unordered_map>

#include "eval/beir.h"
#include "eval/bench/cases.h"
#include "eval/bench/compare.h"
#include "eval/bench/statistics.h"
#include "eval/compare/bootstrap.h"
#include "eval/compare/vectors.h"
#include "eval/retrieval.h"
#include "eval/text_embedder.h"
#include "octavo/error.h"
#include "octavo/model.h"
#include "tasks/model_files.h"
#include "tasks/model_record.h"

namespace octavo {
namespace {

namespace fs = std::filesystem;

constexpr const char* kMetrics[] = {"ndcg_at_10", "map_at_1000", "recall_at_100"};

/// The weights: an ONNX file with its data file, or the safetensors of a directory.
std::size_t weight_bytes(const std::string& path) {
  const tasks::ModelFiles files = tasks::find_model(path);
  std::size_t bytes = 0;
  const auto add = [&](const fs::path& file) {
    std::error_code ignored;
    const auto size = fs::file_size(file, ignored);
    if (!ignored) bytes += static_cast<std::size_t>(size);
  };
  if (!files.weights.empty()) {
    add(files.weights);
    if (files.onnx) add(files.weights + "_data"), add(files.weights + ".data");
    return bytes;
  }
  for (const auto& entry : fs::directory_iterator(files.directory)) {
    if (entry.path().extension() == ".safetensors") add(entry.path());
  }
  return bytes;
}

/// What the arithmetic of a run is called in tables.
std::string arithmetic(const ComparedModel& model, const std::string& precision) {
  return model.options.runtime.reference ? "reference" : precision;
}

class Comparison {
 public:
  Comparison(const std::vector<ComparedModel>& models, const CompareOptions& options)
      : models_(models), options_(options) {}

  ComparisonResult run() {
    check();
    read_datasets();
    check_models();
    choose_texts();
    result_.resamples = options_.resamples;
    result_.rounds = options_.rounds;
    for (const ComparedModel& model : models_) {
      with_frame([&] { return "comparing " + model.name; }, [&] { embed(model); });
    }
    if (!options_.cases.empty()) time();
    return std::move(result_);
  }

 private:
  void check() const {
    if (models_.size() < 2) {
      throw Error(ErrorCode::kInvalidArgument, {.message = "there is nothing to compare with",
                                                .expected = "two models or more",
                                                .found = std::to_string(models_.size()),
                                                .fix = "name the baseline first"});
    }
    if (options_.datasets.empty() && options_.texts.empty() && options_.cases.empty()) {
      throw Error(ErrorCode::kInvalidArgument,
                  {.message = "there is nothing to compare the models on",
                   .expected = "a data set, texts, or cases to time",
                   .fix = "give --dataset DIR, --texts FILE, or leave --no-speed out"});
    }
    for (const ComparedModel& model : models_) static_cast<void>(tasks::find_model(model.path));
  }

  void read_datasets() {
    for (const std::string& dataset : options_.datasets) {
      with_frame([&] { return "reading " + dataset; },
                 [&] { datasets_.push_back(eval::read_beir(dataset, options_.split)); });
    }
  }

  /// Evaluating one model can take hours: what is wrong with another one is said before.
  void check_models() const {
    const bool embeds = !options_.datasets.empty() || !options_.texts.empty();
    if (!embeds) return;  // all are loaded before the first is timed
    for (const ComparedModel& model : models_) {
      with_frame([&] { return "comparing " + model.name; }, [&] { check_loads(model); });
    }
  }

  void check_loads(const ComparedModel& model) const {
    if (&model != &models_.front()) static_cast<void>(Embedder::load(model.path, model.options));
    if (options_.cases.empty() || options_.skip_long_cases) return;
    const Model loaded = Model::load(model.path, model.options.runtime);
    eval::fitting_cases(options_.cases, loaded.max_tokens(), false, model.path);
  }

  void choose_texts() {
    const bool own = !options_.texts.empty() || datasets_.empty();
    const std::size_t all = own ? options_.texts.size() : datasets_.front().documents.size();
    const std::size_t limit = options_.text_limit;
    const std::size_t count = limit == 0 ? all : std::min(all, limit);
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t at = i * all / count;
      texts_.push_back(own ? options_.texts[at] : datasets_.front().documents[at].text);
    }
  }

  void report(std::string_view what, std::size_t done, std::size_t total) const {
    if (options_.progress && !options_.progress(what, done, total))
      throw Error(ErrorCode::kCancelled, "stopped");
  }

  void embed(const ComparedModel& model) {
    ModelComparison out;
    out.name = model.name;
    out.path = model.path;
    out.precision = arithmetic(model, model.options.runtime.precision);
    out.bytes = weight_bytes(model.path);
    if (auto record = tasks::find_record(tasks::find_model(model.path))) {
      out.sensitivity = std::move(record->sensitivity);
      out.sensitivity_metric = std::move(record->sensitivity_metric);
    }
    if (texts_.empty() && options_.datasets.empty()) {
      result_.models.push_back(std::move(out));
      return;
    }
    Embedder embedder = Embedder::load(model.path, model.options);
    out.isa = embedder.isa();
    out.precision = arithmetic(model, embedder.precision());
    result_.threads = embedder.threads();
    const std::string documents =
        options_.document_prompt ? options_.document_prompt(embedder) : "";
    const std::string queries = options_.query_prompt ? options_.query_prompt(embedder) : "";
    const std::vector<float> rows = embed_texts(embedder, model.name + ": texts", documents);
    if (result_.models.empty()) {
      baseline_rows_ = rows;
      dims_ = embedder.dimensions();
    }
    if (embedder.dimensions() == dims_) {
      out.vectors = eval::agreement(texts_, baseline_rows_, rows, dims_);
    } else {
      out.vectors.comparable = false;
    }
    for (std::size_t i = 0; i < options_.datasets.size(); ++i)
      out.datasets.push_back(evaluate(embedder, model.name, i, queries, documents));
    result_.models.push_back(std::move(out));
  }

  std::vector<float> embed_texts(Embedder& embedder, const std::string& label,
                                 const std::string& prompt) const {
    std::vector<const std::string*> texts;
    for (const std::string& text : texts_) texts.push_back(&text);
    eval::EmbedJob job{.stage = label,
                       .prompt = prompt,
                       .cache_directory = options_.cache_directory,
                       .progress = {}};
    job.progress = [&](std::string_view stage, std::size_t done, std::size_t total, std::size_t) {
      return !options_.progress || options_.progress(stage, done, total);
    };
    return eval::embed_texts(eval::text_embedder(embedder), texts, job).rows;
  }

  DatasetComparison evaluate(Embedder& embedder, const std::string& name, std::size_t index,
                             const std::string& queries, const std::string& documents) {
    RetrievalOptions how;
    how.split = options_.split;
    how.query_prompt = queries;
    how.document_prompt = documents;
    how.cache_directory = options_.cache_directory;
    const std::string label = name + ": " + dataset_name(options_.datasets[index]) + " ";
    how.progress = [&](std::string_view stage, std::size_t done, std::size_t total, std::size_t) {
      return !options_.progress || options_.progress(label + std::string(stage), done, total);
    };
    const RetrievalResult found = with_frame(
        [&] { return "evaluating on " + options_.datasets[index]; },
        [&] {
          return eval::evaluate_retrieval(eval::text_embedder(embedder), datasets_[index], how);
        });
    DatasetComparison out;
    out.dataset = dataset_name(options_.datasets[index]);
    out.documents = found.documents;
    out.queries = found.queries;
    if (baseline_scores_.size() <= index) baseline_scores_.push_back(found.scores);
    const RankingScores& baseline = baseline_scores_[index];
    std::unordered_map<std::string, const QueryScores*> before;
    for (const QueryScores& scores : baseline.per_query) before.emplace(scores.query, &scores);
    for (const char* metric : kMetrics) {
      const auto at = std::find(found.scores.names.begin(), found.scores.names.end(), metric);
      if (at == found.scores.names.end()) continue;
      const auto column = static_cast<std::size_t>(at - found.scores.names.begin());
      MetricDifference difference;
      difference.metric = metric;
      std::vector<double> differences;
      for (const QueryScores& scores : found.scores.per_query) {
        const auto old = before.find(scores.query);
        if (old == before.end()) continue;
        const double was = old->second->values[column], is = scores.values[column];
        differences.push_back(is - was);
        (is > was ? difference.better : is < was ? difference.worse : difference.equal) += 1;
        if (column == ndcg_column(found.scores) && is != was)
          out.changed.push_back({scores.query, was, is});
      }
      difference.baseline = baseline.mean.at(metric);
      difference.value = found.scores.mean.at(metric);
      difference.difference = difference.value - difference.baseline;
      if (difference.baseline != 0)
        difference.relative = difference.difference / difference.baseline;
      difference.ci95 = eval::bootstrap_mean(differences, options_.resamples);
      out.metrics.push_back(std::move(difference));
    }
    std::stable_sort(out.changed.begin(), out.changed.end(), [](const auto& a, const auto& b) {
      return std::abs(a.value - a.baseline) > std::abs(b.value - b.baseline);
    });
    return out;
  }

  static std::size_t ndcg_column(const RankingScores& scores) {
    return static_cast<std::size_t>(
        std::find(scores.names.begin(), scores.names.end(), "ndcg_at_10") - scores.names.begin());
  }

  void time() {
    std::vector<Model> loaded;
    std::vector<std::string> names;
    for (const ComparedModel& model : models_) {
      loaded.push_back(Model::load(model.path, model.options.runtime));
      names.push_back(model.name);
      if (result_.models[loaded.size() - 1].isa.empty())
        result_.models[loaded.size() - 1].isa = loaded.back().isa();
      ModelComparison& compared = result_.models[loaded.size() - 1];
      compared.timed_precision = arithmetic(model, loaded.back().precision());
      if (texts_.empty() && options_.datasets.empty())
        compared.precision = compared.timed_precision;
    }
    result_.threads = loaded.front().threads();
    std::vector<BenchmarkCase> cases = options_.cases;
    for (std::size_t i = 0; i < loaded.size(); ++i) {
      cases = eval::fitting_cases(std::move(cases), loaded[i].max_tokens(),
                                  options_.skip_long_cases, models_[i].path);
    }
    std::size_t done = 0;
    for (const BenchmarkCase& what : cases) {
      std::vector<std::vector<double>> medians(loaded.size());
      for (std::size_t round = 0; round < options_.rounds; ++round) {
        // Who goes first changes from round to round.
        for (std::size_t i = 0; i < loaded.size(); ++i) {
          const std::size_t turn = (i + round) % loaded.size();
          medians[turn].push_back(eval::median(
              loaded[turn].time_runs(what.batch, what.tokens, options_.min_seconds, 1)));
        }
        report("timing", ++done, cases.size() * options_.rounds);
      }
      for (std::size_t i = 0; i < loaded.size(); ++i) {
        ModelSpeed speed{.what = what, .median_ms = eval::median(medians[i]), .to_baseline = {}};
        if (i == 0) {
          speed.to_baseline = {names[0], names[0], 1, std::nullopt};
        } else {
          const std::vector<std::string> pair = {names[i], names[0]};
          speed.to_baseline = eval::compare(what, pair, {medians[i], medians[0]}).ratios.front();
        }
        result_.models[i].speed.push_back(std::move(speed));
      }
    }
  }

  const std::vector<ComparedModel>& models_;
  const CompareOptions& options_;
  ComparisonResult result_;
  std::vector<eval::BeirDataset> datasets_;
  std::vector<std::string> texts_;
  std::vector<float> baseline_rows_;
  std::size_t dims_ = 0;
  std::vector<RankingScores> baseline_scores_;  // a data set
};

}  // namespace

std::string timed_name(const ModelComparison& model) {
  if (model.timed_precision == model.precision) return model.name;
  return model.name + " (timed in " + model.timed_precision + ")";
}

ComparisonResult compare_models(const std::vector<ComparedModel>& models,
                                const CompareOptions& options) {
  return Comparison(models, options).run();
}

}  // namespace octavo
