#include "eval/report/bar_chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "eval/report/axis.h"
#include "eval/report/html_page.h"
#include "eval/report/svg_parts.h"
#include "eval/report/svg_plot.h"

namespace octavo::eval {
namespace {

constexpr double kBars = 232, kRight = 58, kTop = 28, kRow = 20, kBar = 12;
constexpr double kBottom = 40;
constexpr std::size_t kLeastCharacters = 12;
constexpr double kCharacter = 6.4;  // a wide one of the chart's font

double left_of(const BarChart& chart) {
  std::size_t longest = kLeastCharacters;
  for (const Bar& bar : chart.bars) longest = std::max(longest, bar.label.size() + 1);
  return kCharacter * static_cast<double>(std::min(longest, chart.most_characters)) + 10;
}

/// Keeps the end, which tells layers apart: "...layer.11/output/dense". Cuts between characters.
std::string shortened(const std::string& label, std::size_t most) {
  if (label.size() <= most) return label;
  std::size_t from = label.size() - most;
  while (from < label.size() && (static_cast<unsigned char>(label[from]) & 0xC0) == 0x80) ++from;
  return "\xE2\x80\xA6" + label.substr(from);
}

std::string draw(const Bar& bar, const BarChart& chart, double y, const Axis& axis) {
  const double from = axis.place(chart.base), to = axis.place(bar.value);
  std::string out = fmt::format(
      "<g class=\"s{}\"><rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{}\" "
      "class=\"mark\"><title>{}</title></rect>\n",
      std::clamp(bar.color, 0, 5), std::min(from, to), y - kBar / 2, std::abs(to - from), kBar,
      escape(fmt::format("{}: {:.5g}", bar.label, bar.value)));
  double end = std::max(from, to);
  out += "</g>\n";
  if (bar.low && bar.high && std::isfinite(*bar.low) && std::isfinite(*bar.high)) {
    const double left = axis.place(*bar.low), right = axis.place(*bar.high);
    out += line(left, y, right, y, "axis") + line(left, y - 3, left, y + 3, "axis") +
           line(right, y - 3, right, y + 3, "axis");
    end = std::max(end, right);
  }
  return out +
         text_at(left_of(chart) - 6, y + 4, "tick", "end",
                 shortened(bar.label, chart.most_characters)) +
         text_at(end + 4, y + 4, "tick", "start", fmt::format("{:.4g}", bar.value));
}

}  // namespace

std::string render_bars(const BarChart& chart) {
  std::vector<double> values{chart.base};
  std::vector<const Bar*> bars;
  for (const Bar& bar : chart.bars) {
    if (!std::isfinite(bar.value)) continue;
    bars.push_back(&bar);
    for (const double v : {bar.value, bar.low.value_or(bar.value), bar.high.value_or(bar.value)})
      if (std::isfinite(v)) values.push_back(v);
  }
  const double left = left_of(chart), width = left + kBars + kRight;
  Axis axis(values, false, left, width - kRight);
  axis.use_ticks(round_ticks(axis.low(), axis.high(), 4, false));
  const double end = kTop + kRow * static_cast<double>(bars.size());
  std::string out = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" class=\"plot\" "
      "role=\"img\">\n<title>{}</title>\n",
      width, end + kBottom, escape(chart.title));
  out += text_at(4, 12, "title", "start", chart.title);
  for (const double tick : axis.ticks()) {
    const double at = axis.place(tick);
    out += line(at, kTop - 4, at, end, "grid") +
           text_at(at, end + 15, "tick", "middle", tick_label(tick));
  }
  for (std::size_t i = 0; i < bars.size(); ++i)
    out += draw(*bars[i], chart, kTop + kRow * (static_cast<double>(i) + 0.5) - 2, axis);
  return out + text_at(left + kBars / 2, end + 32, "label", "middle", chart.value_label) +
         "</svg>\n";
}

}  // namespace octavo::eval
