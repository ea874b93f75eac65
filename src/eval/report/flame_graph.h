// A flame graph as one SVG document: frames as wide as their values, the root at the bottom, every
// frame with its text on hover, a legend of the colours. No script; its own style, light and dark
// as the reader's system is; as wide as the place it stands in.
#pragma once

#include <string>
#include <vector>

namespace octavo::eval {

struct FlameFrame {
  std::string label, details;  // details: shown on hover, several lines
  double value = 0;            // at least the sum of its children
  int color = -1;              // index of the legend; -1: none of its own
  std::vector<FlameFrame> children{};
};

struct FlameGraph {
  std::string title, subtitle;
  std::vector<std::string> legend;  // what the colours mean; colours repeat after eight
  FlameFrame root;
};

/// Well-formed XML. Frames whose value is not finite and above 0 are left out.
std::string render_flame_graph(const FlameGraph& graph);

}  // namespace octavo::eval
