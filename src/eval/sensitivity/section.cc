#include "eval/sensitivity/section.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "eval/report/bar_chart.h"
#include "eval/report/svg_plot.h"

namespace octavo::eval {
namespace {

// Beyond it the worst are drawn; the table has all.
constexpr std::size_t kMostBars = 100;

/// One number a layer, larger is worse, and what it is called.
struct Cost {
  std::string name, axis;
  double (*of)(const LayerSensitivity&);
};

Cost cost_of(const std::string& metric) {
  if (metric == "ndcg") {
    return {"Loss of NDCG@10", "loss in % of the float model's",
            [](const LayerSensitivity& l) { return 100 * l.score_loss.value_or(0); }};
  }
  if (metric == "cosine") {
    return {"Distance by cosine", "1 - cosine of the output, in %",
            [](const LayerSensitivity& l) { return 100 * (1 - l.cosine); }};
  }
  return {"Noise", "noise in % of the output",
          [](const LayerSensitivity& l) { return 100 * std::pow(10, -l.sqnr_db / 20); }};
}

bool separates(char c) { return c == '/' || c == '.'; }

}  // namespace

std::vector<std::string> distinct_parts(const std::vector<std::string>& names) {
  if (names.size() < 2) return names;
  std::string_view head = names[0], tail = names[0];
  for (const std::string& name : names) {
    const auto same = std::ranges::mismatch(head, name);
    head = head.substr(0, static_cast<std::size_t>(same.in1 - head.begin()));
    std::size_t end = 0;
    while (end < std::min(tail.size(), name.size()) &&
           tail[tail.size() - 1 - end] == name[name.size() - 1 - end])
      ++end;
    tail = tail.substr(tail.size() - end);
  }
  while (!head.empty() && !separates(head.back())) head.remove_suffix(1);
  while (!tail.empty() && !separates(tail.front())) tail.remove_prefix(1);
  std::vector<std::string> out;
  for (const std::string& name : names) {
    if (name.size() <= head.size() + tail.size()) return names;
    out.push_back(name.substr(head.size(), name.size() - head.size() - tail.size()));
  }
  return out;
}

void add_sensitivity(HtmlPage& page, const SensitivitySection& section) {
  const std::vector<LayerSensitivity>& layers = section.layers;
  if (layers.empty()) return;
  const Cost cost = cost_of(section.metric);
  const std::string of = section.model.empty() ? "" : " of " + section.model;
  std::vector<std::string> names;
  for (const LayerSensitivity& layer : layers) names.push_back(layer.node);
  const std::vector<std::string> labels = distinct_parts(names);

  BarChart bars{.title = cost.name + " by layer" + of + ", the worst first",
                .value_label = cost.axis,
                .bars = {},
                .base = 0};
  Plot places{.title = cost.name + " by place in the model" + of,
              .x_label = "product, from the first to the last",
              .y_label = cost.axis,
              .series = {{"each product quantised alone", {}, 0, false}}};
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const double value = cost.of(layers[i]);
    places.series[0].points.push_back({.x = static_cast<double>(layers[i].place + 1), .y = value});
    if (i >= kMostBars) continue;
    bars.bars.push_back(
        {.label = labels[i], .value = value, .color = section.in_float.contains(names[i]) ? 1 : 0});
  }
  std::ranges::sort(places.series[0].points, {}, &PlotPoint::x);
  page.figure(render_svg(places), fmt::format("{} products.", layers.size()));
  std::string caption = "Each product quantised alone, everything else in float.";
  if (!section.in_float.empty())
    caption += " In the second colour: what the quality gate left in float.";
  if (layers.size() > kMostBars)
    caption += fmt::format(" The {} worst; the table has all.", kMostBars);
  page.figure(render_bars(bars), caption);

  const bool scored = layers[0].score_loss.has_value();
  std::vector<std::string> header = {"rank", "product", "place", "SQNR dB", "noise", "cosine"};
  if (scored) header.push_back("loss of NDCG@10");
  if (!section.in_float.empty()) header.push_back("becomes");
  std::vector<std::vector<std::string>> rows;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const LayerSensitivity& layer = layers[i];
    std::vector<std::string> row = {std::to_string(i + 1),
                                    layer.node,
                                    std::to_string(layer.place + 1),
                                    fmt::format("{:.1f}", layer.sqnr_db),
                                    fmt::format("{:.3g} %", cost_of("sqnr").of(layer)),
                                    fmt::format("{:.6f}", layer.cosine)};
    if (scored) row.push_back(fmt::format("{:+.2f} %", 100 * layer.score_loss.value_or(0)));
    if (!section.in_float.empty())
      row.push_back(section.in_float.contains(layer.node) ? "float" : "integers");
    rows.push_back(std::move(row));
  }
  page.table(header, rows);
}

}  // namespace octavo::eval
