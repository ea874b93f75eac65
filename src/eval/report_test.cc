#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "eval/metrics.h"
#include "eval/test_files.h"
#include "octavo/evaluation.h"

namespace octavo::eval {
namespace {

TEST(Report, MtebResultHasItsShape) {
  TemporaryDirectory files;
  MtebResult result;
  result.task_name = "SciFact";
  result.metrics = {{"ndcg_at_10", 0.645081234}, {"map_at_10", 0.000005}, {"nan", NAN}};
  result.main_score = "ndcg_at_10";
  result.evaluation_seconds = 1.5;
  result.details = {{"octavo_isa", "avx2"}};
  write_mteb_result(files / "SciFact.json", result);
  const auto json = nlohmann::ordered_json::parse(read_text_file(files / "SciFact.json"));
  EXPECT_EQ(json["task_name"], "SciFact");
  EXPECT_EQ(json["dataset_revision"], "unknown");
  EXPECT_EQ(json["evaluation_time"], 1.5);
  ASSERT_EQ(json["scores"]["test"].size(), 1u);
  const auto& scores = json["scores"]["test"][0];
  EXPECT_EQ(scores["ndcg_at_10"].get<double>(), 0.64508);
  EXPECT_EQ(scores["main_score"].get<double>(), 0.64508);
  EXPECT_EQ(scores["map_at_10"].get<double>(), 1e-05);  // 0.000005 is a little more than a half
  EXPECT_TRUE(scores["nan"].is_null());
  EXPECT_EQ(scores["hf_subset"], "default");
  EXPECT_EQ(scores["languages"], nlohmann::ordered_json({"eng-Latn"}));
  EXPECT_EQ(scores["octavo_isa"], "avx2");
  result.main_score = "accuracy";
  EXPECT_EQ(error_of([&] { write_mteb_result(files / "b.json", result); }).code(),
            ErrorCode::kInvalidArgument);
  EXPECT_FALSE(std::filesystem::exists(files / "b.json"));
}

TEST(Report, QueryScoresAreATable) {
  TemporaryDirectory files;
  const RankingScores scores = evaluate({{"q", {{"a", 1.0F}, {"b", 0.5F}}}}, {{"q", {{"b", 1}}}});
  write_query_scores(files / "scores.tsv", scores);
  const std::string text = read_text_file(files / "scores.tsv");
  EXPECT_TRUE(text.starts_with("query\tndcg_at_1\tndcg_at_3\t"));
  EXPECT_NE(text.find("\nq\t0\t0.6309297535714575\t"), std::string::npos) << text;
  EXPECT_TRUE(text.ends_with("\t0.5\t0.5\n"));
}

}  // namespace
}  // namespace octavo::eval
