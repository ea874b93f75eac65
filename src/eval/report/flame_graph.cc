#include "eval/report/flame_graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string_view>

#include "eval/report/html_page.h"

namespace octavo::eval {
namespace {

constexpr int kColors = 8;
// Pixels. Widths are in percent, so that the browser scales frames and not their text.
constexpr int kRow = 22, kGap = 1, kHead = 56, kLegendRow = 20, kMargin = 12;
// A frame narrower than this share of the picture has no room for a letter.
constexpr double kLeastLabel = 0.008;

// Without variables, which readers of SVG other than browsers do not know.
constexpr std::string_view kStyle = R"(
svg { color-scheme: light dark; font: 12px system-ui, sans-serif; }
text { fill: #1b1f24; }
.page { fill: #ffffff; } .base { fill: #d8dde3; }
.title { font-size: 16px; font-weight: 600; } .muted { fill: #5d6670; }
.c0 { fill: #a9cdf5; } .c1 { fill: #f7c59f; } .c2 { fill: #a5dccf; } .c3 { fill: #d9bdf3; }
.c4 { fill: #f4b3cb; } .c5 { fill: #d5dc9a; } .c6 { fill: #b9c0c9; } .c7 { fill: #f3dd8f; }
.frame rect { stroke: #ffffff; stroke-width: 1; }
.frame:hover rect { stroke: #1b1f24; }
@media (prefers-color-scheme: dark) {
text { fill: #f2f5f8; }
.page { fill: #14171b; } .base { fill: #343b44; }
.muted { fill: #9aa4af; }
.c0 { fill: #1d4f86; } .c1 { fill: #85410f; } .c2 { fill: #14594f; } .c3 { fill: #5c2f8a; }
.c4 { fill: #832449; } .c5 { fill: #545a16; } .c6 { fill: #4a525c; } .c7 { fill: #6b5407; }
.frame rect { stroke: #14171b; }
.frame:hover rect { stroke: #f2f5f8; }
}
)";
bool drawn(const FlameFrame& frame) { return std::isfinite(frame.value) && frame.value > 0; }

int depth(const FlameFrame& frame) {
  int deepest = 0;
  for (const FlameFrame& child : frame.children) deepest = std::max(deepest, depth(child));
  return deepest + 1;
}

std::string color_class(int color) {
  return color < 0 ? "base" : fmt::format("c{}", color % kColors);
}

/// [begin, begin + width] as shares of the picture; `bottom` is the frame's lower edge.
void add_frame(std::string& out, const FlameFrame& frame, double begin, double width, int bottom) {
  const int top = bottom - kRow;
  out += fmt::format(
      "<g class=\"frame\"><title>{}</title><rect class=\"{}\" x=\"{:.4f}%\" y=\"{}\" "
      "width=\"{:.4f}%\" height=\"{}\" rx=\"2\"/>",
      escape(frame.details.empty() ? frame.label : frame.details), color_class(frame.color),
      100 * begin, top, 100 * width, kRow - kGap);
  if (width >= kLeastLabel) {
    // An inner <svg> clips what it holds, at any width of the whole.
    out += fmt::format(
        "<svg x=\"{:.4f}%\" y=\"{}\" width=\"{:.4f}%\" height=\"{}\" overflow=\"hidden\">"
        "<text x=\"4\" y=\"15\">{}</text></svg>",
        100 * begin, top, 100 * width, kRow - kGap, escape(frame.label));
  }
  out += "</g>\n";
  double at = begin;
  for (const FlameFrame& child : frame.children) {
    if (!drawn(child)) continue;
    const double part = width * std::min(1.0, child.value / frame.value);
    add_frame(out, child, at, part, top);
    at += part;
  }
}

}  // namespace

std::string render_flame_graph(const FlameGraph& graph) {
  const int bottom = kHead + kRow * depth(graph.root);
  const int height =
      bottom + kMargin + kLegendRow * static_cast<int>(graph.legend.size()) + kMargin;
  std::string out = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"100%\" height=\"{}\" role=\"img\">\n"
      "<title>{}</title>\n<style>{}</style>\n"
      "<rect class=\"page\" width=\"100%\" height=\"100%\"/>\n"
      "<text class=\"title\" x=\"{}\" y=\"24\">{}</text>\n"
      "<text class=\"muted\" x=\"{}\" y=\"44\">{}</text>\n",
      height, escape(graph.title), kStyle, kMargin, escape(graph.title), kMargin,
      escape(graph.subtitle));
  constexpr double kSide = 0.005;
  if (drawn(graph.root)) add_frame(out, graph.root, kSide, 1 - 2 * kSide, bottom);
  int y = bottom + kMargin;
  for (std::size_t i = 0; i < graph.legend.size(); ++i, y += kLegendRow) {
    out += fmt::format(
        "<rect class=\"{}\" x=\"{}\" y=\"{}\" width=\"14\" height=\"14\" rx=\"2\"/>"
        "<text x=\"{}\" y=\"{}\">{}</text>\n",
        color_class(static_cast<int>(i)), kMargin, y, kMargin + 22, y + 11,
        escape(graph.legend[i]));
  }
  return out + "</svg>\n";
}

}  // namespace octavo::eval
