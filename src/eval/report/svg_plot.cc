#include "eval/report/svg_plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "eval/report/axis.h"
#include "eval/report/html_page.h"
#include "eval/report/svg_parts.h"

namespace octavo::eval {
namespace {

// Units of the drawing, about pixels on a phone.
constexpr double kWidth = 440, kHeight = 280, kLeft = 58, kRight = 14, kTop = 42, kBottom = 44;
constexpr double kLegendRow = 18;
constexpr std::size_t kFewTicks = 8;
constexpr double kMark = 3.5, kSmallMark = 1.5;
constexpr std::size_t kFewPoints = 40;  // more of them get small marks, and bars without ends

bool drawable(const Plot& plot, const PlotPoint& p) {
  return std::isfinite(p.x) && std::isfinite(p.y) && (!plot.log_x || p.x > 0) &&
         (!plot.log_y || p.y > 0);
}

std::vector<double> x_ticks(const Plot& plot, std::vector<double> xs, const Axis& axis) {
  std::sort(xs.begin(), xs.end());
  xs.erase(std::unique(xs.begin(), xs.end()), xs.end());
  if (plot.log_x && !xs.empty() && xs.size() <= kFewTicks) return xs;
  std::vector<double> ticks = round_ticks(axis.low(), axis.high(), 6, plot.log_x);
  std::erase_if(ticks, [&](double t) { return t < axis.low() || t > axis.high(); });
  return ticks;
}

std::string draw_series(const Plot& plot, const PlotSeries& series, const Axis& x, const Axis& y) {
  std::string path, marks;
  const bool few = series.points.size() <= kFewPoints;
  for (const PlotPoint& p : series.points) {
    if (!drawable(plot, p)) continue;
    const double px = x.place(p.x), py = y.place(p.y);
    path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? "M" : " L", px, py);
    if (series.dashed) continue;
    const auto inside = [&](double v) { return std::isfinite(v) && (!plot.log_y || v > 0); };
    if (p.low && p.high && inside(*p.low) && inside(*p.high)) {
      const double top = y.place(*p.high), bottom = y.place(*p.low);
      marks += line(px, top, px, bottom, "bar");
      if (few) {
        marks +=
            line(px - 3, top, px + 3, top, "bar") + line(px - 3, bottom, px + 3, bottom, "bar");
      }
    }
    marks += fmt::format(
        "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{}\" class=\"mark\"><title>{}</title></circle>\n",
        px, py, few ? kMark : kSmallMark,
        escape(fmt::format("{}, {} {}: {:.4g} {}", series.name, plot.x_label, tick_label(p.x), p.y,
                           plot.y_label)));
  }
  if (path.empty()) return {};
  return fmt::format("<g class=\"s{}{}\">\n<path d=\"{}\" class=\"curve\"/>\n{}</g>\n",
                     std::clamp(series.color, 0, 5), series.dashed ? " limit" : "", path, marks);
}

std::string draw_axes(const Plot& plot, const Axis& x, const Axis& y) {
  constexpr double kEndX = kWidth - kRight, kEndY = kHeight - kBottom;
  std::string out;
  for (const double tick : y.ticks()) {
    const double at = y.place(tick);
    out += line(kLeft, at, kEndX, at, "grid") +
           text_at(kLeft - 6, at + 4, "tick", "end", tick_label(tick));
  }
  for (const double tick : x.ticks()) {
    const double at = x.place(tick);
    out += line(at, kEndY, at, kEndY + 4, "axis") +
           text_at(at, kEndY + 17, "tick", "middle", tick_label(tick));
  }
  return out + line(kLeft, kEndY, kEndX, kEndY, "axis") +
         text_at((kLeft + kEndX) / 2, kHeight - 8, "label", "middle", plot.x_label) +
         text_at(4, 28, "label", "start", plot.y_label);
}

std::string draw_legend(const Plot& plot) {
  std::string out;
  double y = kHeight + kLegendRow / 2;
  for (const PlotSeries& series : plot.series) {
    out += fmt::format("<g class=\"s{}{}\">", std::clamp(series.color, 0, 5),
                       series.dashed ? " limit" : "") +
           fmt::format("<path d=\"M{} {:.1f} h24\" class=\"curve\"/></g>\n", kLeft, y) +
           text_at(kLeft + 30, y + 4, "label", "start", series.name);
    y += kLegendRow;
  }
  return out;
}

}  // namespace

std::string render_svg(const Plot& plot) {
  std::vector<double> xs, ys;
  for (const PlotSeries& series : plot.series) {
    for (const PlotPoint& p : series.points) {
      if (!drawable(plot, p)) continue;
      xs.push_back(p.x);
      for (const double v : {p.y, p.low.value_or(p.y), p.high.value_or(p.y)}) {
        if (std::isfinite(v) && (!plot.log_y || v > 0)) ys.push_back(v);
      }
    }
  }
  Axis x(xs, plot.log_x, kLeft + 8, kWidth - kRight - 8),
      y(ys, plot.log_y, kHeight - kBottom, kTop);
  x.mark(x_ticks(plot, xs, x));
  if (!plot.log_y && y.low() > 0) y.start_at(0);
  y.use_ticks(round_ticks(y.low(), y.high(), 5, plot.log_y));
  const double height = kHeight + kLegendRow * static_cast<double>(plot.series.size());
  std::string out = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" class=\"plot\" "
      "role=\"img\">\n<title>{}</title>\n",
      kWidth, height, escape(plot.title));
  out += text_at(4, 12, "title", "start", plot.title) + draw_axes(plot, x, y);
  for (const PlotSeries& series : plot.series) out += draw_series(plot, series, x, y);
  return out + draw_legend(plot) + "</svg>\n";
}

std::string_view plot_style() {
  return R"(
.plot { width: 100%; max-width: 40rem; height: auto; font: 12px system-ui, sans-serif; }
.plot text { fill: var(--muted); paint-order: stroke; stroke: var(--page); stroke-width: 3px; }
.plot .title { fill: var(--text); font-weight: 600; font-size: 13px; }
.plot .label { fill: var(--text); }
.plot .grid { stroke: var(--line); }
.plot .axis { stroke: var(--muted); }
.plot .curve { fill: none; stroke: currentColor; stroke-width: 2; stroke-linejoin: round; }
.plot .limit .curve { stroke-dasharray: 5 4; stroke-width: 1.5; }
.plot .bar { stroke: currentColor; }
.plot .mark { fill: currentColor; }
.s0 { color: var(--s0); } .s1 { color: var(--s1); } .s2 { color: var(--s2); }
.s3 { color: var(--s3); } .s4 { color: var(--s4); } .s5 { color: var(--s5); }
)";
}

}  // namespace octavo::eval
