// Line charts as SVG, to stand inside an HTML page: axes with round ticks, linear or logarithmic,
// error bars, a legend. Colours are the CSS variables --s0 ... --s5, --text, --muted and --line of
// the page, so that a chart follows its theme.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace octavo::eval {

struct PlotPoint {
  double x = 0, y = 0;
  std::optional<double> low{}, high{};  // ends of the error bar
};

struct PlotSeries {
  std::string name;
  std::vector<PlotPoint> points;
  int color = 0;        // 0 to 5; two series may share one
  bool dashed = false;  // without markers: a limit, not a measurement
};

struct Plot {
  std::string title, x_label, y_label;
  std::vector<PlotSeries> series;
  bool log_x = false, log_y = false;  // then values at or below 0 are left out
};

/// One <svg> element, well-formed XML. A linear y axis begins at 0 where no value lies below it;
/// an axis with log_x has its ticks at the points' own x where these are few. Values that are not
/// finite are left out.
std::string render_svg(const Plot& plot);

/// What the charts' classes mean, for the style of the page.
std::string_view plot_style();

/// Round numbers that cover [low, high], about `count` of them: 1, 2 or 5 times a power of ten.
/// Two where doubles cannot tell more apart.
std::vector<double> round_ticks(double low, double high, int count, bool log);
/// "0.25", "1,500", "20k", "3M".
std::string tick_label(double value);

}  // namespace octavo::eval
