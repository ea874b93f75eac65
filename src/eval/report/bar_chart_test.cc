#include "eval/report/bar_chart.h"

#include <gtest/gtest.h>

#include <limits>

#include "eval/report/well_formed.h"

namespace octavo::eval {
namespace {

std::size_t count(const std::string& text, std::string_view part) {
  std::size_t out = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1))
    ++out;
  return out;
}

TEST(BarChart, DrawsABarALabelWithItsError) {
  const BarChart chart{
      "loss <by> format", "NDCG@10", {{"int8", -0.3, -0.5, -0.1}, {"bf16 & co", 0.1}, {"fp32", 0}}};
  const std::string svg = render_bars(chart);
  EXPECT_TRUE(well_formed(svg)) << svg;
  EXPECT_EQ(count(svg, "<rect "), 3u);
  EXPECT_NE(svg.find("loss &lt;by&gt; format"), std::string::npos);
  EXPECT_NE(svg.find("bf16 &amp; co: 0.1"), std::string::npos);
}

TEST(BarChart, LeavesOutWhatIsNoNumberAndShortensLabels) {
  BarChart chart{"t",
                 "v",
                 {{"bert/encoder/layer.11/attention/output/dense", 2},
                  {"gone", std::numeric_limits<double>::quiet_NaN()}}};
  EXPECT_NE(render_bars(chart).find(">bert/encoder/layer.11/attention/output/dense</text>"),
            std::string::npos);
  chart.most_characters = 22;
  const std::string svg = render_bars(chart);
  EXPECT_TRUE(well_formed(svg)) << svg;
  EXPECT_EQ(count(svg, "<rect "), 1u);
  EXPECT_EQ(svg.find(">gone"), std::string::npos);
  EXPECT_NE(svg.find("\xE2\x80\xA6"
                     "attention/output/dense</text>"),
            std::string::npos);
  EXPECT_NE(svg.find("<title>bert/encoder/layer.11/attention/output/dense: 2</title>"),
            std::string::npos);
}

TEST(BarChart, StandsWithoutBars) { EXPECT_TRUE(well_formed(render_bars({"nothing", "v", {}}))); }

}  // namespace
}  // namespace octavo::eval
