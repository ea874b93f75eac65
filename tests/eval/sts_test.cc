// Correlations against values that scipy gave (data/correlations.json, written by
// scipy_fixture.py).
#include "eval/sts.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

namespace octavo::eval {
namespace {

TEST(Sts, CorrelationsEqualScipy) {
  std::ifstream file("tests/eval/data/correlations.json");
  const nlohmann::json cases = nlohmann::json::parse(file);
  ASSERT_EQ(cases.size(), 32u);
  for (const auto& one : cases) {
    const auto a = one["a"].get<std::vector<double>>(), b = one["b"].get<std::vector<double>>();
    EXPECT_EQ(average_ranks(a), one["ranks"].get<std::vector<double>>());
    EXPECT_NEAR(pearson(a, b), one["pearson"].get<double>(), 1e-12);
    EXPECT_NEAR(spearman(a, b), one["spearman"].get<double>(), 1e-12);
  }
}

TEST(Sts, WithoutSpreadThereIsNoCorrelation) {
  const std::vector<double> constant{1, 1, 1}, other{1, 2, 3}, one{1}, broken{1, NAN, 3};
  EXPECT_TRUE(std::isnan(pearson(constant, other)));
  EXPECT_TRUE(std::isnan(spearman(other, constant)));
  EXPECT_TRUE(std::isnan(pearson(one, one)));
  EXPECT_TRUE(std::isnan(pearson({}, {})));
  EXPECT_TRUE(std::isnan(spearman(broken, other)));
  EXPECT_DOUBLE_EQ(pearson(other, other), 1.0);
}

TEST(Sts, SimilaritiesOfPairs) {
  const std::vector<float> first{3, 4, 0, 0}, second{4, 3, 1, 0};
  const PairSimilarities found = pair_similarities(first, second, 2);
  EXPECT_DOUBLE_EQ(found.cosine[0], 24.0 / 25);
  EXPECT_DOUBLE_EQ(found.manhattan[0], -2.0);
  EXPECT_DOUBLE_EQ(found.euclidean[0], -std::sqrt(2.0));
  EXPECT_EQ(found.cosine[1], 0.0);  // a row of zeros
}

}  // namespace
}  // namespace octavo::eval
