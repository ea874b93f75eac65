// Ticks, labels and the markup of charts; well_formed.h holds it to well-formed XML.
#include "eval/report/svg_plot.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "eval/report/html_page.h"
#include "eval/report/well_formed.h"

namespace octavo::eval {
namespace {

using Ticks = std::vector<double>;

void expect_ticks(const Ticks& got, const Ticks& expected) {
  ASSERT_EQ(got.size(), expected.size()) << testing::PrintToString(got);
  for (std::size_t i = 0; i < got.size(); ++i)
    EXPECT_NEAR(got[i], expected[i], 1e-9 * (1 + std::abs(got[i])));
}

TEST(Ticks, LinearOnesAreRoundAndCover) {
  expect_ticks(round_ticks(0, 10, 5, false), {0, 2, 4, 6, 8, 10});
  expect_ticks(round_ticks(0, 0.93, 5, false), {0, 0.2, 0.4, 0.6, 0.8, 1});
  expect_ticks(round_ticks(-3, 7, 5, false), {-4, -2, 0, 2, 4, 6, 8});
  for (const double high : {1e-7, 0.3, 1.0, 17.0, 99.9, 123456.0}) {
    const Ticks ticks = round_ticks(0, high, 5, false);
    EXPECT_LE(ticks.front(), 0);
    EXPECT_GE(ticks.back(), high * (1 - 1e-9));
    EXPECT_LE(ticks.size(), 8u);
  }
  EXPECT_GE(round_ticks(5, 5, 5, false).size(), 2u);
}

TEST(Ticks, AreFewAndOrderedWhateverTheValues) {
  constexpr double kHuge = std::numeric_limits<double>::max();
  constexpr double kLeast = std::numeric_limits<double>::denorm_min();
  const std::pair<double, double> ends[] = {{-1e22, -1e22 + 4e6},
                                            {1e22, std::nextafter(1e22, kHuge)},
                                            {9.2e18, 9.2e18 + 4096},
                                            {-kHuge, kHuge},
                                            {0, kHuge},
                                            {0, kLeast},
                                            {1, 1 + 3e-16},
                                            {-1e-300, 1e300},
                                            {kHuge, kHuge}};
  for (const auto& [low, high] : ends) {
    const Ticks ticks = round_ticks(low, high, 5, false);
    ASSERT_GE(ticks.size(), 2u) << low << " to " << high;
    EXPECT_LE(ticks.size(), 10u) << low << " to " << high;
    EXPECT_TRUE(std::ranges::is_sorted(ticks)) << testing::PrintToString(ticks);
    for (const double tick : ticks) EXPECT_TRUE(std::isfinite(tick)) << low << " to " << high;
  }
}

TEST(Ticks, LogarithmicOnesAreOneTwoFive) {
  expect_ticks(round_ticks(1.5, 30, 5, true), {1, 2, 5, 10, 20, 50});
  expect_ticks(round_ticks(0.001, 100000, 5, true),
               {0.001, 0.01, 0.1, 1, 10, 100, 1000, 10000, 1e5});
  const Ticks wide = round_ticks(1e-12, 1e12, 5, true);
  EXPECT_LE(wide.size(), 8u);
}

TEST(Ticks, LabelsAreShort) {
  EXPECT_EQ(tick_label(0), "0");
  EXPECT_EQ(tick_label(0.25), "0.25");
  EXPECT_EQ(tick_label(512), "512");
  EXPECT_EQ(tick_label(1500), "1,500");
  EXPECT_EQ(tick_label(9050), "9,050");
  EXPECT_EQ(tick_label(20000), "20k");
  EXPECT_EQ(tick_label(-2500000), "-2.5M");
}

TEST(Escape, LeavesNoMarkup) {
  EXPECT_EQ(escape("a<b> & \"c\" 'd'"), "a&lt;b&gt; &amp; &quot;c&quot; &#39;d&#39;");
  EXPECT_EQ(escape(std::string_view("\0\x1f\n", 3)), "\xEF\xBF\xBD\xEF\xBF\xBD\n");
}

std::size_t count(const std::string& text, std::string_view part) {
  std::size_t out = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1))
    ++out;
  return out;
}

Plot small() {
  Plot plot{.title = "a < b & \"c\"", .x_label = "x", .y_label = "y", .series = {}};
  plot.series.push_back({"one", {{1, 10, 9, 12}, {2, 20, {}, {}}, {4, 30, 29, 31}}, 0, false});
  plot.series.push_back({"limit", {{1, 5}, {4, 5}}, 0, true});
  return plot;
}

TEST(Svg, HasAMarkAPointABarAnIntervalAndALegend) {
  const std::string svg = render_svg(small());
  EXPECT_TRUE(well_formed(svg)) << svg;
  EXPECT_EQ(count(svg, "<circle"), 3u);
  EXPECT_EQ(count(svg, "class=\"bar\""), 6u);    // two intervals of three lines
  EXPECT_EQ(count(svg, "class=\"curve\""), 4u);  // two curves, two in the legend
  EXPECT_EQ(count(svg, "limit\""), 2u);
  EXPECT_NE(svg.find(">limit</text>"), std::string::npos);
  EXPECT_EQ(svg.find("nan"), std::string::npos);
}

TEST(Svg, WhatCannotBeDrawnIsLeftOut) {
  Plot plot = small();
  plot.log_x = plot.log_y = true;
  plot.series[0].points.push_back({0, 5});
  plot.series[0].points.push_back({5, -1});
  plot.series[0].points.push_back({5, std::numeric_limits<double>::quiet_NaN()});
  plot.series[0].points.push_back({std::numeric_limits<double>::infinity(), 5});
  const std::string svg = render_svg(plot);
  EXPECT_TRUE(well_formed(svg)) << svg;
  EXPECT_EQ(count(svg, "<circle"), 3u);
  for (const char* part : {"nan", "inf"}) EXPECT_EQ(svg.find(part), std::string::npos);
}

TEST(Svg, EmptyAndConstantChartsAreCharts) {
  for (const bool log : {false, true}) {
    Plot plot{
        .title = "t", .x_label = "x", .y_label = "y", .series = {}, .log_x = log, .log_y = log};
    EXPECT_TRUE(well_formed(render_svg(plot)));
    plot.series.push_back({"one", {{3, 7}}, 9, false});
    const std::string svg = render_svg(plot);
    EXPECT_TRUE(well_formed(svg));
    EXPECT_EQ(svg.find("nan"), std::string::npos);
    EXPECT_EQ(svg.find("inf"), std::string::npos);
  }
}

TEST(Svg, HigherValuesAreHigherUp) {
  const std::string svg = render_svg(small());
  const auto y_of = [&](std::size_t from) {
    const std::size_t at = svg.find("cy=\"", from) + 4;
    return std::stod(svg.substr(at));
  };
  const std::size_t first = svg.find("<circle"), last = svg.rfind("<circle");
  EXPECT_GT(y_of(first), y_of(last));
}

TEST(HtmlPage, EscapesCellsAndMarksNumbers) {
  HtmlPage page("<t>", "s");
  page.table({"name", "value"}, {{"<b>", "-1.5"}, {"", "x"}});
  const std::string text = page.text();
  EXPECT_NE(text.find("<title>&lt;t&gt;</title>"), std::string::npos);
  EXPECT_NE(text.find("<td>&lt;b&gt;</td><td class=\"number\">-1.5</td>"), std::string::npos);
  EXPECT_NE(text.find("<th class=\"number\">value</th>"), std::string::npos);
}

}  // namespace
}  // namespace octavo::eval
