// Horizontal bars as SVG, one a label, to stand inside an HTML page (classes and colours as
// svg_plot.h has them): for things without an order of their own, such as formats or layers.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace octavo::eval {

struct Bar {
  std::string label;
  double value = 0;
  std::optional<double> low{}, high{};  // ends of the error bar
  int color = 0;                        // 0 to 5
};

struct BarChart {
  std::string title, value_label;
  std::vector<Bar> bars;
  /// Where bars begin: the axis always holds it.
  double base = 0;
  /// Characters of a label that are shown; the chart becomes as much wider as its labels need.
  std::size_t most_characters = 48;
};

/// One <svg> element, well-formed XML. Bars whose value is not finite are left out; labels longer
/// than that are cut with an ellipsis and whole on hover.
std::string render_bars(const BarChart& chart);

}  // namespace octavo::eval
