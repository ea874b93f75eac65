// Frames lie within their parents, clip their text, and stay well-formed whatever a name holds.
#include "eval/report/flame_graph.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "eval/report/well_formed.h"

namespace octavo::eval {
namespace {

/// The numbers that stand between `before` and '%' in the frames' rectangles.
std::vector<double> percents(const std::string& svg, const std::string& before) {
  std::vector<double> out;
  for (std::size_t at = 0; (at = svg.find("</title><rect", at)) != std::string::npos; ++at) {
    const std::size_t begin = svg.find(before, at) + before.size();
    out.push_back(std::stod(svg.substr(begin)));
  }
  return out;
}

FlameGraph made_up() {
  FlameGraph out;
  out.title = "a <model> & \"more\"";
  out.subtitle = "2 threads";
  out.legend = {"linear", "it's & <odd>"};
  out.root = {.label = "root", .details = "", .value = 10};
  out.root.children.push_back(
      {.label = "<layer> & 0",
       .details = "line\nline \"two\"",
       .value = 6,
       .children = {{.label = "a", .details = "a", .value = 4, .color = 0},
                    {.label = "b", .details = "b", .value = 2, .color = 9}}});
  out.root.children.push_back({.label = "waiting", .details = "", .value = 4});
  return out;
}

TEST(FlameGraph, IsWellFormedAndNeedsNothingElse) {
  const std::string svg = render_flame_graph(made_up());
  EXPECT_TRUE(well_formed(svg)) << svg;
  EXPECT_EQ(svg.find("<script"), std::string::npos);
  EXPECT_EQ(svg.find("href"), std::string::npos);
  EXPECT_NE(svg.find("&lt;layer&gt; &amp; 0"), std::string::npos);
  EXPECT_NE(svg.find("prefers-color-scheme: dark"), std::string::npos);
  EXPECT_NE(svg.find("class=\"c1\""), std::string::npos) << "colours repeat after eight";
}

TEST(FlameGraph, FramesAreAsWideAsTheirValues) {
  const std::string svg = render_flame_graph(made_up());
  const std::vector<double> x = percents(svg, " x=\""), width = percents(svg, " width=\"");
  ASSERT_EQ(width.size(), 5u);  // root, layer, a, b, waiting
  const double unit = width[0] / 10;
  const std::vector<double> values = {10, 6, 4, 2, 4}, begins = {0, 0, 0, 4, 6};
  for (std::size_t i = 0; i < values.size(); ++i) {
    EXPECT_NEAR(width[i], values[i] * unit, 1e-3) << i;
    EXPECT_NEAR(x[i], x[0] + begins[i] * unit, 1e-3) << i;
  }
}

TEST(FlameGraph, TextStandsInAnElementThatClipsIt) {
  const std::string svg = render_flame_graph(made_up());
  std::size_t clipped = 0;
  for (std::size_t at = 0; (at = svg.find("overflow=\"hidden\"><text", at)) != std::string::npos;
       ++at)
    ++clipped;
  EXPECT_EQ(clipped, 5u);
}

TEST(FlameGraph, LeavesOutWhatHasNoWidth) {
  FlameGraph graph = made_up();
  for (const double value : {0.0, -1.0, std::nan(""), std::numeric_limits<double>::infinity()})
    graph.root.children.push_back({.label = "gone", .details = "gone", .value = value});
  const std::string svg = render_flame_graph(graph);
  EXPECT_EQ(svg.find("gone"), std::string::npos);
  graph.root.value = 0;
  EXPECT_TRUE(well_formed(render_flame_graph(graph)));
  EXPECT_EQ(render_flame_graph(graph).find("class=\"frame\""), std::string::npos);
}

}  // namespace
}  // namespace octavo::eval
