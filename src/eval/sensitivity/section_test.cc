#include "eval/sensitivity/section.h"

#include <gtest/gtest.h>

#include "eval/report/well_formed.h"

namespace octavo::eval {
namespace {

using Names = std::vector<std::string>;

std::size_t count(const std::string& text, std::string_view part) {
  std::size_t out = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1))
    ++out;
  return out;
}

/// The body of a page with one section.
std::string page_of(const SensitivitySection& section) {
  HtmlPage page("t", "s");
  add_sensitivity(page, section);
  const std::string text = page.text();
  return text.substr(text.find("<main>"), text.find("</main>") - text.find("<main>") + 7);
}

SensitivitySection many(std::size_t layers) {
  SensitivitySection out{.model = "bge & co", .metric = "sqnr", .layers = {}, .in_float = {}};
  for (std::size_t i = 0; i < layers; ++i) {
    out.layers.push_back({.node = "/encoder/layer." + std::to_string(i) + "/output/dense/MatMul",
                          .cosine = 0.99,
                          .sqnr_db = 10.0 + static_cast<double>(i),
                          .place = layers - 1 - i});
  }
  return out;
}

TEST(DistinctParts, LeavesOutWhatAllNamesShare) {
  EXPECT_EQ(distinct_parts({"/a/layer.0/q/MatMul", "/a/layer.11/q/MatMul", "/a/layer.1/v/MatMul"}),
            (Names{"0/q", "11/q", "1/v"}));
  EXPECT_EQ(distinct_parts({"a.0.w", "a.1.w"}), (Names{"0", "1"}));
  EXPECT_EQ(distinct_parts({"MatMul_0", "MatMul_10"}), (Names{"MatMul_0", "MatMul_10"}));
  EXPECT_EQ(distinct_parts({"a/b", "a/b/c"}), (Names{"b", "b/c"}));
  EXPECT_EQ(distinct_parts({"same", "same"}), (Names{"same", "same"}));
  EXPECT_EQ(distinct_parts({"one/name"}), (Names{"one/name"}));
  EXPECT_TRUE(distinct_parts({}).empty());
}

TEST(Sensitivity, DrawsABarAndARowALayer) {
  SensitivitySection section = many(72);
  section.in_float = {section.layers[0].node, section.layers[1].node};
  const std::string body = page_of(section);
  EXPECT_TRUE(well_formed(body));
  EXPECT_EQ(count(body, "<rect "), 72u);
  EXPECT_EQ(count(body, "<circle "), 72u);
  EXPECT_EQ(count(body, "<tr>"), 73u);
  EXPECT_EQ(count(body, "<td>float</td>"), 2u);
  // 10 dB: the noise has 10 ** -0.5 of the output's magnitude.
  EXPECT_NE(body.find("<title>0: 31.623</title>"), std::string::npos);
  EXPECT_EQ(page_of({}), page_of({.metric = "ndcg"})) << "nothing for no layers";
}

TEST(Sensitivity, DrawsTheWorstOfVeryMany) {
  const std::string body = page_of(many(300));
  EXPECT_EQ(count(body, "<rect "), 100u);
  EXPECT_EQ(count(body, "<tr>"), 301u);
}

TEST(Sensitivity, ShowsTheMetricThatRanks) {
  SensitivitySection section = many(2);
  for (auto& layer : section.layers) layer.score_loss = 0.0125;
  section.metric = "ndcg";
  EXPECT_NE(page_of(section).find("<title>0: 1.25</title>"), std::string::npos);
  EXPECT_NE(page_of(section).find("<td class=\"number\">+1.25 %</td>"), std::string::npos);
  section.metric = "cosine";
  EXPECT_NE(page_of(section).find("<title>0: 1</title>"), std::string::npos);
}

}  // namespace
}  // namespace octavo::eval
