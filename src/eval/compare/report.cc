// The HTML report of a comparison.
#include <fmt/format.h>

#include <ostream>

#include "base/file.h"
#include "eval/report/bar_chart.h"
#include "eval/report/html_page.h"
#include "eval/report/machine_facts.h"
#include "eval/report/svg_plot.h"
#include "eval/sensitivity/section.h"
#include "octavo/compare.h"

namespace octavo {
namespace {

using Rows = std::vector<std::vector<std::string>>;

constexpr std::size_t kQueries = 20;  // shown of those that changed most

std::string signed_percent(double share) { return fmt::format("{:+.2f} %", 100 * share); }

const MetricDifference* find(const DatasetComparison& dataset, std::string_view metric) {
  for (const MetricDifference& difference : dataset.metrics) {
    if (difference.metric == metric) return &difference;
  }
  return nullptr;
}

void add_summary(eval::HtmlPage& page, const ComparisonResult& result) {
  const ModelComparison& baseline = result.models.front();
  page.heading("Summary");
  std::vector<std::string> header = {"model", "precision", "MB"};
  const bool vectors = baseline.vectors.texts > 0;
  if (vectors) header.insert(header.end(), {"mean cosine", "least cosine", "max error"});
  for (const DatasetComparison& dataset : baseline.datasets) {
    header.push_back("NDCG@10 " + dataset.dataset);
    header.push_back("change");
    header.push_back("95 % interval");
  }
  Rows rows;
  for (const ModelComparison& model : result.models) {
    std::vector<std::string> row = {model.name, model.precision,
                                    fmt::format("{:.1f}", static_cast<double>(model.bytes) / 1e6)};
    if (vectors && model.vectors.comparable) {
      row.push_back(fmt::format("{:.5f}", model.vectors.mean_cosine));
      row.push_back(fmt::format("{:.5f}", model.vectors.min_cosine));
      row.push_back(fmt::format("{:.2g}", model.vectors.max_absolute_error));
    } else if (vectors) {
      row.insert(row.end(), 3, "");
    }
    for (const DatasetComparison& dataset : model.datasets) {
      const MetricDifference* ndcg = find(dataset, "ndcg_at_10");
      if (ndcg == nullptr) continue;
      row.push_back(fmt::format("{:.5f}", ndcg->value));
      const bool first = &model == &baseline;
      row.push_back(first ? "" : signed_percent(ndcg->relative));
      row.push_back(first || ndcg->baseline == 0
                        ? ""
                        : signed_percent(ndcg->ci95.low / ndcg->baseline) + " to " +
                              signed_percent(ndcg->ci95.high / ndcg->baseline));
    }
    rows.push_back(std::move(row));
  }
  page.table(header, rows);
}

void add_quality(eval::HtmlPage& page, const ComparisonResult& result) {
  const ModelComparison& baseline = result.models.front();
  if (baseline.datasets.empty()) return;
  page.heading("Quality by format");
  page.paragraph(
      fmt::format("Change of the mean over queries to {}; bars are 95 % intervals of a paired "
                  "bootstrap over the "
                  "queries ({} resamples). An interval that holds 0 does not tell the two apart.",
                  baseline.name, result.resamples));
  page.body("<div class=\"plots\">\n");
  for (std::size_t d = 0; d < baseline.datasets.size(); ++d) {
    eval::BarChart chart{.title = "NDCG@10 on " + baseline.datasets[d].dataset,
                         .value_label = "change in % of the baseline",
                         .bars = {}};
    for (std::size_t m = 1; m < result.models.size(); ++m) {
      const MetricDifference* ndcg = find(result.models[m].datasets[d], "ndcg_at_10");
      if (ndcg == nullptr || ndcg->baseline == 0) continue;
      chart.bars.push_back({.label = result.models[m].name,
                            .value = 100 * ndcg->relative,
                            .low = 100 * ndcg->ci95.low / ndcg->baseline,
                            .high = 100 * ndcg->ci95.high / ndcg->baseline,
                            .color = ndcg->difference < 0 ? 1 : 0});
    }
    page.figure(eval::render_bars(chart),
                fmt::format("{} documents, {} queries.", baseline.datasets[d].documents,
                            baseline.datasets[d].queries));
  }
  page.body("</div>\n");
  Rows rows;
  for (const ModelComparison& model : result.models) {
    for (const DatasetComparison& dataset : model.datasets) {
      for (const MetricDifference& m : dataset.metrics) {
        rows.push_back({model.name, dataset.dataset, m.metric, fmt::format("{:.5f}", m.value),
                        fmt::format("{:+.5f}", m.difference),
                        fmt::format("{:+.5f} to {:+.5f}", m.ci95.low, m.ci95.high),
                        std::to_string(m.better), std::to_string(m.worse),
                        std::to_string(m.equal)});
      }
    }
  }
  page.table({"model", "data set", "metric", "mean", "change", "95 % interval", "better", "worse",
              "equal"},
             rows);
}

void add_vectors(eval::HtmlPage& page, const ComparisonResult& result) {
  if (result.models.front().vectors.texts == 0) return;
  page.heading("Embeddings");
  page.paragraph(
      fmt::format("Cosine with the baseline's embedding of the same text, over {} texts: "
                  "how many texts stay at or below it.",
                  result.models.front().vectors.texts));
  Rows rows;
  for (std::size_t m = 1; m < result.models.size(); ++m) {
    const VectorAgreement& v = result.models[m].vectors;
    if (!v.comparable) {
      rows.push_back({result.models[m].name, "other dimensions"});
      continue;
    }
    std::vector<std::string> row = {result.models[m].name, fmt::format("{:.5f}", v.min_cosine)};
    for (const auto& [share, cosine] : v.quantiles) row.push_back(fmt::format("{:.5f}", cosine));
    row.push_back(fmt::format("{:.5f}", v.mean_cosine));
    row.push_back(v.worst_text.empty() ? "(an empty text)" : v.worst_text);
    rows.push_back(std::move(row));
  }
  page.table({"model", "least", "1 %", "5 %", "25 %", "50 %", "75 %", "mean", "furthest text"},
             rows);
}

eval::Plot speed_plot(const ComparisonResult& result, std::string title, std::string x_label,
                      std::string y_label, bool (*belongs)(const BenchmarkCase&),
                      double (*x)(const BenchmarkCase&), double (*y)(const ModelSpeed&)) {
  eval::Plot plot{.title = std::move(title),
                  .x_label = std::move(x_label),
                  .y_label = std::move(y_label),
                  .series = {}};
  plot.log_x = true;
  for (std::size_t m = 0; m < result.models.size(); ++m) {
    eval::PlotSeries series{
        .name = timed_name(result.models[m]), .points = {}, .color = static_cast<int>(m % 6)};
    for (const ModelSpeed& speed : result.models[m].speed) {
      if (belongs(speed.what)) series.points.push_back({x(speed.what), y(speed)});
    }
    if (series.points.size() > 1) plot.series.push_back(std::move(series));
  }
  return plot;
}

void add_speed(eval::HtmlPage& page, const ComparisonResult& result) {
  const ModelComparison& baseline = result.models.front();
  if (baseline.speed.empty()) return;
  page.heading("Speed");
  page.paragraph(
      fmt::format("Random tokens of full length, {} alternating rounds. The ratio is of the times "
                  "in one round, "
                  "the median over the rounds.",
                  result.rounds));
  const auto one = [](const BenchmarkCase& c) { return c.batch == 1; };
  const auto tokens = [](const BenchmarkCase& c) { return static_cast<double>(c.tokens); };
  const auto batch = [](const BenchmarkCase& c) { return static_cast<double>(c.batch); };
  const auto share = [](const ModelSpeed& s) { return s.to_baseline.median; };
  const auto rate = [](const ModelSpeed& s) {
    return static_cast<double>(s.what.batch * s.what.tokens) / s.median_ms * 1e3;
  };
  page.body("<div class=\"plots\">\n");
  for (const eval::Plot& plot :
       {speed_plot(result, "Relative latency of one text", "tokens", "time / time of the baseline",
                   one, tokens, share),
        speed_plot(
            result, "Throughput by batch", "texts", "tokens a second",
            [](const BenchmarkCase& c) { return c.batch > 1; }, batch, rate)}) {
    if (!plot.series.empty()) page.figure(eval::render_svg(plot), "");
  }
  page.body("</div>\n");
  Rows rows;
  for (std::size_t i = 0; i < baseline.speed.size(); ++i) {
    for (const ModelComparison& model : result.models) {
      const ModelSpeed& s = model.speed[i];
      const auto& ci = s.to_baseline.ci95;
      rows.push_back({fmt::format("{} x {}", s.what.batch, s.what.tokens), timed_name(model),
                      fmt::format("{:.4g}", s.median_ms), fmt::format("{:.0f}", rate(s)),
                      fmt::format("{:.3f}", s.to_baseline.median),
                      ci ? fmt::format("{:.3f} to {:.3f}", ci->low, ci->high) : ""});
    }
  }
  page.table(
      {"texts x tokens", "model", "median ms", "tokens/s", "time / baseline", "95 % interval"},
      rows);
}

void add_layers(eval::HtmlPage& page, const ComparisonResult& result) {
  bool first = true;
  for (const ModelComparison& model : result.models) {
    if (model.sensitivity.empty()) continue;
    if (first) page.heading("Sensitivity by layer");
    first = false;
    eval::add_sensitivity(page, {.model = model.name,
                                 .metric = model.sensitivity_metric,
                                 .layers = model.sensitivity,
                                 .in_float = {}});
  }
}

void add_queries(eval::HtmlPage& page, const ComparisonResult& result) {
  Rows rows;
  for (std::size_t m = 1; m < result.models.size(); ++m) {
    for (const DatasetComparison& dataset : result.models[m].datasets) {
      for (std::size_t i = 0; i < std::min(kQueries, dataset.changed.size()); ++i) {
        const QueryDifference& q = dataset.changed[i];
        rows.push_back({result.models[m].name, dataset.dataset, q.query,
                        fmt::format("{:.4f}", q.baseline), fmt::format("{:.4f}", q.value),
                        fmt::format("{:+.4f}", q.value - q.baseline)});
      }
    }
  }
  if (rows.empty()) return;
  page.heading("Queries that changed most");
  page.table({"model", "data set", "query", "baseline NDCG@10", "NDCG@10", "change"}, rows);
}

}  // namespace

void write_comparison_report(const std::string& path, const ComparisonResult& result,
                             const std::string& command) {
  std::string names;
  constexpr std::size_t kNamed = 6;  // more are read in the table
  const std::size_t others = result.models.size() - 1;
  for (std::size_t i = 1; i <= others && others <= kNamed; ++i)
    names += (i > 1 ? ", " : "") + result.models[i].name;
  if (others > kNamed) names = fmt::format("{} models", others);
  eval::HtmlPage page("Compared with " + result.models.front().name, names);
  add_summary(page, result);
  add_quality(page, result);
  add_vectors(page, result);
  add_speed(page, result);
  add_layers(page, result);
  add_queries(page, result);
  page.heading("Machine");
  auto facts = eval::machine_facts(result.threads, result.models.front().isa);
  for (const ModelComparison& model : result.models) facts.emplace_back(model.name, model.path);
  facts.emplace_back("Command", command);
  page.facts(facts);
  write_file_atomically(path, [&](std::ostream& out) { out << page.text(); });
}

}  // namespace octavo
