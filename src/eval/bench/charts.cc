#include "eval/bench/charts.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>

namespace octavo::eval {
namespace {

struct Measure {
  std::function<bool(const BenchmarkFigure&)> belongs;
  std::function<double(const BenchmarkFigure&)> x;
  /// What is drawn for a run of so many milliseconds.
  std::function<double(const BenchmarkFigure&, double ms)> y;
};

Plot chart(const BenchmarkResult& result, const Measure& measure, Plot plot) {
  std::vector<PlotSeries> limits;
  for (std::size_t p = 0; p < result.precisions.size(); ++p) {
    const std::string& precision = result.precisions[p];
    PlotSeries measured{.name = precision, .points = {}, .color = static_cast<int>(p)};
    PlotSeries limit{.name = precision + " at the peak of this machine",
                     .points = {},
                     .color = static_cast<int>(p)};
    limit.dashed = true;
    std::vector<const BenchmarkFigure*> figures;
    for (const BenchmarkFigure& figure : result.figures) {
      if (figure.precision == precision && measure.belongs(figure)) figures.push_back(&figure);
    }
    std::stable_sort(figures.begin(), figures.end(),
                     [&](const auto* a, const auto* b) { return measure.x(*a) < measure.x(*b); });
    for (const BenchmarkFigure* figure : figures) {
      PlotPoint point{measure.x(*figure), measure.y(*figure, figure->median_ms)};
      if (figure->ci95_ms) {
        const double a = measure.y(*figure, figure->ci95_ms->low);
        const double b = measure.y(*figure, figure->ci95_ms->high);
        point.low = std::min(a, b);
        point.high = std::max(a, b);
      }
      measured.points.push_back(point);
      if (figure->limit_ms > 0)
        limit.points.push_back({measure.x(*figure), measure.y(*figure, figure->limit_ms)});
    }
    if (measured.points.size() < 2) continue;
    plot.series.push_back(std::move(measured));
    if (!limit.points.empty()) limits.push_back(std::move(limit));
  }
  plot.series.insert(plot.series.end(), limits.begin(), limits.end());
  return plot;
}

/// The length that most batches of several texts have; the greater of two.
std::size_t usual_length(const BenchmarkResult& result) {
  std::map<std::size_t, std::size_t> counts;
  for (const BenchmarkFigure& figure : result.figures) {
    if (figure.what.batch > 1) ++counts[figure.what.tokens];
  }
  std::size_t out = 0;
  for (const auto& [tokens, count] : counts) {
    if (out == 0 || count >= counts[out]) out = tokens;
  }
  return out;
}

}  // namespace

std::vector<Plot> benchmark_charts(const BenchmarkResult& result) {
  const std::size_t length = usual_length(result);
  const auto one_text = [](const BenchmarkFigure& f) { return f.what.batch == 1; };
  const auto batches = [length](const BenchmarkFigure& f) { return f.what.tokens == length; };
  const auto tokens = [](const BenchmarkFigure& f) { return static_cast<double>(f.what.tokens); };
  const auto batch = [](const BenchmarkFigure& f) { return static_cast<double>(f.what.batch); };
  const auto all_tokens = [=](const BenchmarkFigure& f) { return batch(f) * tokens(f); };
  const auto milliseconds = [](const BenchmarkFigure&, double ms) { return ms; };
  const auto rate = [=](const BenchmarkFigure& f, double ms) { return all_tokens(f) / ms * 1e3; };
  const auto token_time = [=](const BenchmarkFigure& f, double ms) {
    return ms * 1e3 / all_tokens(f);
  };
  const std::string by_batch = fmt::format("texts of {} tokens", length);
  std::vector<Plot> out;
  const auto add = [&](const Measure& measure, Plot plot) {
    plot.log_x = true;
    plot = chart(result, measure, std::move(plot));
    if (!plot.series.empty()) out.push_back(std::move(plot));
  };
  add({one_text, tokens, milliseconds}, {.title = "Latency by length",
                                         .x_label = "tokens of one text",
                                         .y_label = "ms",
                                         .series = {},
                                         .log_y = true});
  add({batches, batch, rate},
      {.title = "Throughput by batch", .x_label = by_batch, .y_label = "tokens/s", .series = {}});
  add({one_text, tokens, token_time}, {.title = "Time a token by length",
                                       .x_label = "tokens of one text",
                                       .y_label = "µs/token",
                                       .series = {}});
  add({batches, batch, token_time},
      {.title = "Time a token by batch", .x_label = by_batch, .y_label = "µs/token", .series = {}});
  return out;
}

}  // namespace octavo::eval
