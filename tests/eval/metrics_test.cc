// Ranking metrics against values that pytrec-eval-terrier gave (data/metrics.json, written by
// pytrec_oracle.py).
#include "eval/metrics.h"

#include <gtest/gtest.h>

#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "octavo/error.h"

namespace octavo::eval {
namespace {

double value_of(const RankingScores& scores, std::size_t query, const std::string& metric) {
  const auto at = std::find(scores.names.begin(), scores.names.end(), metric);
  return scores.per_query.at(query).values.at(static_cast<std::size_t>(at - scores.names.begin()));
}

TEST(Metrics, EqualPytrecEval) {
  std::ifstream file("tests/eval/data/metrics.json");
  const nlohmann::ordered_json cases = nlohmann::ordered_json::parse(file);
  ASSERT_EQ(cases.size(), 40u);
  std::size_t compared = 0;
  for (const auto& one : cases) {
    RetrievalRun run;
    Qrels qrels;
    for (const auto& [query, documents] : one["run"].items()) {
      run.push_back({query, {}});
      for (const auto& [id, score] : documents.items()) {
        run.back().documents.push_back({id, metric_score(score.get<double>())});
      }
    }
    for (const auto& [query, grades] : one["qrels"].items()) {
      for (const auto& [id, grade] : grades.items()) qrels[query][id] = grade.get<int>();
    }
    const RankingScores scores = evaluate(run, qrels);
    ASSERT_EQ(scores.per_query.size(), one["expected"].size());
    EXPECT_EQ(scores.queries_without_judgements, run.size() - scores.per_query.size());
    EXPECT_EQ(scores.queries_without_results, qrels.size() - scores.per_query.size());
    for (std::size_t q = 0; q < scores.per_query.size(); ++q) {
      const auto& expected = one["expected"].at(scores.per_query[q].query);  // zeros left out
      for (const auto& [metric, value] : expected.items())
        EXPECT_TRUE(scores.mean.contains(metric)) << metric;
      for (const std::string& metric : scores.names) {
        EXPECT_NEAR(value_of(scores, q, metric), expected.value(metric, 0.0), 1e-12)
            << scores.per_query[q].query << ' ' << metric;
        ++compared;
      }
    }
  }
  EXPECT_GT(compared, 2000u);
}

TEST(Metrics, FollowTheirDefinitions) {
  // Ranking: a (grade 0), d (-1), b (2), c (1); e is relevant and not found.
  const RetrievalRun run{{"q", {{"c", 0.4F}, {"b", 0.5F}, {"a", 1.0F}, {"d", 0.9F}}}};
  const Qrels qrels{{"q", {{"a", 0}, {"b", 2}, {"c", 1}, {"d", -1}, {"e", 1}}}};
  const MetricValues mean = evaluate(run, qrels).mean;
  const double dcg = 2 / std::log2(4.0) + 1 / std::log2(5.0);
  const double ideal = 2 + 1 / std::log2(3.0) + 1 / std::log2(4.0);
  EXPECT_DOUBLE_EQ(mean.at("ndcg_at_10"), dcg / ideal);
  EXPECT_DOUBLE_EQ(mean.at("ndcg_at_3"), 1.0 / ideal);
  EXPECT_EQ(mean.at("ndcg_at_1"), 0.0);
  EXPECT_DOUBLE_EQ(mean.at("map_at_3"), (1.0 / 3) / 3);
  EXPECT_DOUBLE_EQ(mean.at("map_at_10"), (1.0 / 3 + 2.0 / 4) / 3);
  EXPECT_DOUBLE_EQ(mean.at("recall_at_10"), 2.0 / 3);
  EXPECT_DOUBLE_EQ(mean.at("precision_at_10"), 0.2);
  EXPECT_DOUBLE_EQ(mean.at("mrr_at_3"), 1.0 / 3);
  EXPECT_EQ(mean.at("mrr_at_1"), 0.0);
  EXPECT_EQ(mean.at("hit_rate_at_1"), 0.0);
  EXPECT_EQ(mean.at("hit_rate_at_3"), 1.0);
  EXPECT_EQ(mean.size(), metric_names().size());
}

TEST(Metrics, TiesGoByDescendingBytesOfTheId) {
  const RetrievalRun run{{"q", {{"10", 1.0F}, {"9", 1.0F}, {"\xC3\xA9", 1.0F}, {"z", 1.0F}}}};
  const auto mrr = [&](const char* relevant) {
    return evaluate(run, Qrels{{"q", {{relevant, 1}}}}).mean.at("mrr");
  };
  EXPECT_DOUBLE_EQ(mrr("\xC3\xA9"), 1.0);
  EXPECT_DOUBLE_EQ(mrr("z"), 1.0 / 2);
  EXPECT_DOUBLE_EQ(mrr("9"), 1.0 / 3);
  EXPECT_DOUBLE_EQ(mrr("10"), 1.0 / 4);
}

TEST(Metrics, ScoresAreRoundedToFloat32) {
  EXPECT_EQ(metric_score(0.5 + 1e-10), 0.5F);
  EXPECT_EQ(metric_score(1e300), std::numeric_limits<float>::infinity());
  EXPECT_EQ(metric_score(-1e300), -std::numeric_limits<float>::infinity());
  EXPECT_EQ(metric_score(std::numeric_limits<double>::quiet_NaN()), -1.0F);
  EXPECT_EQ(metric_score(std::numeric_limits<float>::max()), std::numeric_limits<float>::max());
}

TEST(Metrics, QueriesThatDoNotTakePartAreCounted) {
  const RetrievalRun run{{"a", {{"d", 1.0F}}}, {"b", {{"d", 1.0F}}}, {"empty", {}}};
  const Qrels qrels{{"a", {{"d", 1}}}, {"c", {{"d", 1}}}, {"empty", {{"d", 1}}}, {"none", {}}};
  const RankingScores scores = evaluate(run, qrels);
  EXPECT_EQ(scores.per_query.size(), 2u);
  EXPECT_EQ(scores.queries_without_judgements, 1u);
  EXPECT_EQ(scores.queries_without_results, 1u);
  EXPECT_DOUBLE_EQ(scores.mean.at("ndcg_at_10"), 0.5);
  EXPECT_EQ(evaluate({}, qrels).mean.at("map"), 0.0);
}

TEST(Metrics, OnlyNegativeOrZeroGradesGiveZero) {
  const RankingScores scores =
      evaluate({{"q", {{"a", 1.0F}, {"b", 0.5F}}}}, {{"q", {{"a", -3}, {"b", 0}}}});
  for (const double value : scores.per_query.at(0).values) EXPECT_EQ(value, 0.0);
}

TEST(Metrics, RepeatsAreRefused) {
  const Qrels qrels{{"q", {{"a", 1}}}};
  EXPECT_THROW(evaluate({{"q", {{"a", 1.0F}, {"a", 0.5F}}}}, qrels), Error);
  EXPECT_THROW(evaluate({{"q", {{"a", 1.0F}}}, {"q", {{"b", 1.0F}}}}, qrels), Error);
}

}  // namespace
}  // namespace octavo::eval
