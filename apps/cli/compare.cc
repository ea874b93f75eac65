// octavo compare: models beside a baseline, in quality, size and speed.
#include "octavo/compare.h"

#include <fmt/format.h>

#include <filesystem>
#include <memory>

#include "flags.h"
#include "format.h"
#include "interrupt.h"
#include "progress.h"
#include "verbs.h"

namespace octavo::cli {
namespace {

constexpr const char* kDefaultCases = "1x16,1x32,1x64,1x128,1x256,1x512,4x128,16x128,64x128";

Json to_json(const Interval& interval) { return {interval.low, interval.high}; }

Json to_json(const VectorAgreement& v) {
  if (!v.comparable) return {{"comparable", false}};
  Json quantiles = Json::object();
  for (const auto& [share, cosine] : v.quantiles) quantiles[fmt::format("{:g}", share)] = cosine;
  return {{"texts", v.texts},
          {"mean_cosine", v.mean_cosine},
          {"min_cosine", v.min_cosine},
          {"quantiles", quantiles},
          {"max_absolute_error", v.max_absolute_error},
          {"furthest_text", v.worst_text}};
}

Json to_json(const DatasetComparison& dataset) {
  Json out = {
      {"dataset", dataset.dataset}, {"documents", dataset.documents}, {"queries", dataset.queries}};
  for (const MetricDifference& m : dataset.metrics) {
    out[m.metric] = {{"baseline", m.baseline},     {"value", m.value},
                     {"difference", m.difference}, {"relative", m.relative},
                     {"ci95", to_json(m.ci95)},    {"better", m.better},
                     {"worse", m.worse},           {"equal", m.equal}};
  }
  Json changed = Json::array();
  for (const QueryDifference& q : dataset.changed)
    changed.push_back({{"query", q.query}, {"baseline", q.baseline}, {"value", q.value}});
  out["changed_queries"] = changed;
  return out;
}

Json to_json(const ModelSpeed& speed) {
  const auto& ci = speed.to_baseline.ci95;
  return {{"batch", speed.what.batch},
          {"tokens", speed.what.tokens},
          {"median_ms", speed.median_ms},
          {"time_ratio", speed.to_baseline.median},
          {"ci95", ci ? to_json(*ci) : Json(nullptr)}};
}

Json to_json(const ModelComparison& model) {
  Json datasets = Json::array(), speed = Json::array();
  for (const DatasetComparison& dataset : model.datasets) datasets.push_back(to_json(dataset));
  for (const ModelSpeed& figure : model.speed) speed.push_back(to_json(figure));
  Json out = {
      {"name", model.name},
      {"model", model.path},
      {"precision", model.precision},
      {"weights_bytes", model.bytes},
      {"timed_precision", model.timed_precision.empty() ? Json() : Json(model.timed_precision)},
      {"isa", model.isa},
      {"datasets", datasets},
      {"speed", speed}};
  if (model.vectors.texts > 0 || !model.vectors.comparable)
    out["embeddings"] = to_json(model.vectors);
  if (!model.sensitivity.empty()) {
    Json layers = Json::array();
    for (const LayerSensitivity& layer : model.sensitivity) layers.push_back(layer_json(layer));
    out["sensitivity"] = {{"metric", model.sensitivity_metric}, {"layers", std::move(layers)}};
  }
  return out;
}

/// Words of a list with commas.
std::vector<std::string> words(const std::string& list) {
  std::vector<std::string> out;
  for (std::size_t at = 0; at <= list.size();) {
    const std::size_t end = std::min(list.find(',', at), list.size());
    out.push_back(list.substr(at, end - at));
    at = end + 1;
  }
  return out;
}

struct CompareCommand {
  explicit CompareCommand(Context& the_context) : context(the_context) {}

  Context& context;
  std::vector<std::string> models;
  std::string precisions = "auto", names, texts, format = "auto", cases, report, cache;
  bool no_speed = false, no_cache = false;
  EmbedderOptions embedder{};
  PromptFlags prompts{};
  CompareOptions options{};

  void run() {
    const std::vector<ComparedModel> compared = entrants();
    options.query_prompt = [this](const Embedder& e) { return query_prompt(prompts, e); };
    options.document_prompt = [this](const Embedder& e) { return document_prompt(prompts, e); };
    options.cache_directory = cache;
    if (cache.empty() && !context.cache_directory.empty())
      options.cache_directory = context.cache_directory + "/embeddings";
    if (no_cache) options.cache_directory.clear();
    if (!no_speed) options.cases = parse_benchmark_cases(cases.empty() ? kDefaultCases : cases);
    options.skip_long_cases = cases.empty();
    read_texts();
    check_place_of("report", "--report", report);
    Progress progress(context.console);
    options.progress = [&](std::string_view what, std::size_t done, std::size_t total) {
      return progress.update(
          what, done, 0, total == 0 ? -1 : static_cast<double>(done) / static_cast<double>(total));
    };
    const Interruptible guard;
    const ComparisonResult result = compare_models(compared, options);
    progress.clear();
    if (!report.empty()) write_comparison_report(report, result, context.command_line);
    if (context.console.json) return print_json(result);
    context.console.out() << quality_text(result) << speed_text(result);
    if (!report.empty()) context.console.note("octavo: report written to " + report);
  }

  std::vector<ComparedModel> entrants() const {
    std::vector<std::string> precision = words(precisions), name = words(names);
    if (precision.size() == 1) precision.resize(models.size(), precision.front());
    if (names.empty()) name = default_names(precision);
    for (const auto& [flag, list] : {std::pair{"--precision", &precision}, {"--names", &name}}) {
      if (list->size() == models.size()) continue;
      throw Error(ErrorCode::kInvalidArgument,
                  {.message = fmt::format("{} has not as many entries as there are models", flag),
                   .expected = std::to_string(models.size()),
                   .found = std::to_string(list->size()),
                   .fix = "give one entry a model, in their order"});
    }
    std::vector<ComparedModel> out;
    for (std::size_t i = 0; i < models.size(); ++i) {
      out.push_back({name[i], models[i], embedder});
      RuntimeOptions& runtime = out.back().options.runtime;
      if (precision[i] == "reference") {
        runtime.reference = true;
      } else {
        runtime.precision = precision[i];
      }
    }
    return out;
  }

  /// The last part of the path that tells a model apart, with its precision where several are used.
  std::vector<std::string> default_names(const std::vector<std::string>& precision) const {
    std::vector<std::string> out;
    for (std::size_t i = 0; i < models.size(); ++i) {
      std::filesystem::path path = std::filesystem::path(models[i]).lexically_normal();
      if (path.filename().empty()) path = path.parent_path();
      std::string label = path.filename() == "model.onnx" && path.has_parent_path()
                              ? path.parent_path().filename().string()
                              : path.filename().string();
      if (i < precision.size() && words(precisions).size() > 1) label += " " + precision[i];
      if (std::find(out.begin(), out.end(), label) != out.end())
        label += fmt::format(" ({})", i + 1);
      out.push_back(std::move(label));
    }
    return out;
  }

  void read_texts() {
    if (texts.empty()) return;
    TextReader reader({texts}, parse_text_format(format));
    for (TextRecord record; reader.next(record);) options.texts.push_back(record.require_text());
    if (options.texts.empty()) {
      throw Error(ErrorCode::kInvalidArgument,
                  {.message = "there is no text to compare on", .file = texts});
    }
  }

  void print_json(const ComparisonResult& result) {
    Json all = Json::array();
    for (const ModelComparison& model : result.models) all.push_back(to_json(model));
    Json out = {{"models", all},
                {"resamples", result.resamples},
                {"rounds", result.rounds},
                {"threads", result.threads}};
    if (!report.empty()) out["report"] = report;
    context.console.print_json(out);
  }

  static std::string quality_text(const ComparisonResult& result) {
    const bool vectors = result.models.front().vectors.texts > 0;
    std::vector<std::string> header = {"model", "", "size"};
    if (vectors) header.insert(header.end(), {"cosine", "least"});
    Table table(header);
    for (const ModelComparison& model : result.models) {
      std::vector<std::string> row = {model.name, model.precision, bytes_text(model.bytes)};
      if (vectors) {
        const VectorAgreement& v = model.vectors;
        row.push_back(v.comparable ? fmt::format("{:.5f}", v.mean_cosine) : "-");
        row.push_back(v.comparable ? fmt::format("{:.5f}", v.min_cosine) : "-");
      }
      table.add(std::move(row));
    }
    std::string out = table.text();
    if (result.models.front().datasets.empty()) return out;
    Table metrics(
        {"data set", "metric", "model", "mean", "change", "", "95 % interval", "better", "worse"});
    for (std::size_t d = 0; d < result.models.front().datasets.size(); ++d) {
      for (std::size_t m = 0; m < result.models.front().datasets[d].metrics.size(); ++m) {
        for (const ModelComparison& model : result.models) {
          const DatasetComparison& dataset = model.datasets[d];
          const MetricDifference& metric = dataset.metrics[m];
          const bool first = &model == &result.models.front();
          metrics.add(
              {dataset.dataset, metric.metric, model.name, fmt::format("{:.5f}", metric.value),
               first ? "" : fmt::format("{:+.5f}", metric.difference),
               first ? "" : fmt::format("{:+.2f} %", 100 * metric.relative),
               first ? "" : fmt::format("{:+.5f} to {:+.5f}", metric.ci95.low, metric.ci95.high),
               first ? "" : std::to_string(metric.better),
               first ? "" : std::to_string(metric.worse)});
        }
      }
    }
    return out + "\n" + metrics.text();
  }

  static std::string speed_text(const ComparisonResult& result) {
    const ModelComparison& baseline = result.models.front();
    if (baseline.speed.empty()) return {};
    Table table({"batch", "tokens", "model", "median ms", "time / baseline", "95 % interval"});
    for (std::size_t i = 0; i < baseline.speed.size(); ++i) {
      for (const ModelComparison& model : result.models) {
        const ModelSpeed& s = model.speed[i];
        const auto& ci = s.to_baseline.ci95;
        table.add({std::to_string(s.what.batch), std::to_string(s.what.tokens), timed_name(model),
                   fmt::format("{:.3f}", s.median_ms), fmt::format("{:.3f}", s.to_baseline.median),
                   ci ? fmt::format("{:.3f} - {:.3f}", ci->low, ci->high) : "-"});
      }
    }
    return "\n" + table.text();
  }
};

}  // namespace

void define_compare(Command& command, Context& context) {
  const auto self = std::make_shared<CompareCommand>(context);
  CLI::App& app = command.app;
  app.add_option("MODELS", self->models, "the baseline, then what is held against it")
      ->required()
      ->expected(2, 64);
  add_repeated_flag(app, "--dataset", self->options.datasets,
                    "a BEIR directory; may be given again")
      ->type_name("DIR");
  app.add_option("--split", self->options.split, "which qrels (test)")->type_name("NAME");
  app.add_option("--texts", self->texts, "texts whose embeddings are compared (documents)")
      ->type_name("FILE");
  app.add_option("--text-limit", self->options.text_limit,
                 "at most so many, evenly spread; 0: all (500)")
      ->type_name("N")
      ->check(at_least(0));
  app.add_option("--resamples", self->options.resamples, "of the bootstrap over queries (10000)")
      ->type_name("N")
      ->check(CLI::Range(100, 10000000));
  app.add_option("--names", self->names, "what to call the models, with commas")->type_name("LIST");
  app.add_option("--report", self->report, "write a page with charts")->type_name("FILE.html");
  auto* cases =
      app.add_option("--cases", self->cases, fmt::format("what is timed ({})", kDefaultCases));
  cases->type_name("LIST");
  app.add_flag("--no-speed", self->no_speed, "time nothing")->excludes(cases);
  app.add_option("--rounds", self->options.rounds, "turns the models take (7); 6 for intervals")
      ->type_name("N")
      ->check(CLI::Range(1, 1000));
  app.add_option("--cache", self->cache, "where embeddings are kept (or --no-cache)")
      ->type_name("DIR");
  app.add_flag("--no-cache", self->no_cache, "keep none")->group("");  // the line above names it
  add_format_flag(app, self->format);
  add_role_prompt_flags(app, self->prompts);
  add_prompt_flags(app, self->prompts);
  add_embedder_flags(app, context, self->embedder);
  app.remove_option(app.get_option("--precision"));
  app.add_option("--precision", self->precisions,
                 "what to compute in, or reference: one for all, or one a model")
      ->type_name("LIST")
      ->group(kModelGroup);
  command.about =
      "The first model is the baseline. Embeddings are compared text by text, rankings query by "
      "query with a paired bootstrap, times in alternating rounds.";
  command.examples = {
      "octavo compare models/bge models/bge-int8 --dataset data/scifact",
      "octavo compare bge bge q.onnx --precision fp32,int8,reference --dataset data",
      "octavo compare a b c --dataset scifact --dataset nfcorpus --report loss.html"};
  command.run = [self] { self->run(); };
}

}  // namespace octavo::cli
