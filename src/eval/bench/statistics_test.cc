#include "eval/bench/statistics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "eval/bench/compare.h"

namespace octavo::eval {
namespace {

TEST(Median, MiddleOrMeanOfTheTwoMiddleOnes) {
  EXPECT_EQ(median({3}), 3);
  EXPECT_EQ(median({9, 1, 5}), 5);
  EXPECT_EQ(median({9, 1, 5, 2}), 3.5);
}

TEST(Quantile, NearestRank) {
  const std::vector<double> ten = {10, 9, 8, 7, 6, 5, 4, 3, 2, 1};
  EXPECT_EQ(quantile(ten, 0.9), 9);
  EXPECT_EQ(quantile(ten, 0.91), 10);
  EXPECT_EQ(quantile(ten, 1), 10);
  EXPECT_EQ(quantile(ten, 1e-9), 1);
  EXPECT_EQ(quantile({7}, 0.9), 7);
  EXPECT_EQ(quantile({1, 2, 3, 4}, 0.5), 2);
}

// Ranks of the 95 % interval as tables of the sign test have them (two-sided, 5 %): rank = critical
// value + 1.
TEST(MedianInterval, RanksOfTheTables) {
  for (const std::size_t n : {0, 1, 2, 5}) EXPECT_EQ(median_interval_rank(n, 0.95), 0u) << n;
  const std::pair<std::size_t, std::size_t> known[] = {
      {6, 1},  {7, 1},  {8, 1},  {9, 2},   {10, 2},  {11, 2},  {12, 3},  {15, 4},
      {17, 5}, {20, 6}, {25, 8}, {30, 10}, {40, 14}, {50, 18}, {100, 40}};
  for (const auto& [n, rank] : known) EXPECT_EQ(median_interval_rank(n, 0.95), rank) << n;
  EXPECT_EQ(median_interval_rank(8, 0.99), 1u);
  EXPECT_EQ(median_interval_rank(7, 0.99), 0u);
  EXPECT_NEAR(static_cast<double>(median_interval_rank(1000000, 0.95)), 500000 - 980, 2);
}

TEST(MedianInterval, TakesTheRanksFromBothEnds) {
  std::vector<double> values;
  for (int i = 20; i > 0; --i) values.push_back(i);
  const auto interval = median_interval(values);
  ASSERT_TRUE(interval);
  EXPECT_EQ(interval->low, 6);
  EXPECT_EQ(interval->high, 15);
  EXPECT_FALSE(median_interval({1, 2, 3, 4, 5}));
}

// The interval must hold the median of the distribution in at least 95 % of samples, and in about
// as many as the binomial says; a skew distribution, as times have.
TEST(MedianInterval, CoversTheMedianOfASkewDistribution) {
  std::mt19937_64 random(7);
  std::lognormal_distribution<double> times(0, 1);  // median 1
  for (const auto& [n, coverage] : {std::pair{6, 0.96875}, {10, 0.978516}, {20, 0.958611}}) {
    constexpr int kSamples = 20000;
    int held = 0;
    for (int s = 0; s < kSamples; ++s) {
      std::vector<double> values(static_cast<std::size_t>(n));
      for (double& value : values) value = times(random);
      const Interval interval = *median_interval(values);
      held += interval.low <= 1 && 1 <= interval.high;
    }
    const double deviation = std::sqrt(coverage * (1 - coverage) / kSamples);
    EXPECT_NEAR(static_cast<double>(held) / kSamples, coverage, 5 * deviation) << n;
  }
}

const std::string kNames[] = {"fp32", "bf16", "int8"};

TEST(Compare, NamesTheOneThatBeatsAllOthers) {
  std::vector<std::vector<double>> times(3);
  for (int round = 0; round < 7; ++round) {
    const double weather = 1 + 0.5 * round;  // common to a round, and far above the differences
    times[0].push_back(10 * weather * (1 + 0.001 * (round % 3)));
    times[1].push_back(9.8 * weather);
    times[2].push_back(9.5 * weather);
  }
  const BenchmarkComparison out = compare({1, 128}, kNames, times);
  EXPECT_EQ(out.winner, "int8");
  ASSERT_EQ(out.ratios.size(), 3u);
  EXPECT_EQ(out.ratios[1].a, "fp32");
  EXPECT_EQ(out.ratios[1].b, "int8");
  EXPECT_NEAR(out.ratios[1].median, 10 / 9.5, 0.003);
  EXPECT_GT(out.ratios[1].ci95->low, 1);
}

TEST(Compare, NamesNobodyWithinTheNoise) {
  // int8 is faster in six rounds of seven: the interval is the whole range, and holds 1.
  std::vector<std::vector<double>> times = {{10, 10, 10, 10, 10, 10, 10}, {9, 9, 9, 9, 9, 9, 11}};
  EXPECT_EQ(compare({1, 1}, std::span(kNames, 2), times).winner, "");
  times[1].back() = 9;
  EXPECT_EQ(compare({1, 1}, std::span(kNames, 2), times).winner, "bf16");
  // Two that beat the third, and not each other.
  times = {{10, 10, 10, 10, 10, 10}, {5, 6, 5, 6, 5, 6}, {6, 5, 6, 5, 6, 5}};
  EXPECT_EQ(compare({1, 1}, kNames, times).winner, "");
}

TEST(Compare, TooFewRoundsShowNothing) {
  const std::vector<std::vector<double>> times(2, std::vector<double>(5, 1.0));
  const BenchmarkComparison out = compare({1, 1}, std::span(kNames, 2), times);
  EXPECT_EQ(out.winner, "");
  EXPECT_FALSE(out.ratios[0].ci95);
}

// Equal precisions must not be told apart in more than one case of twenty.
TEST(Compare, SeldomNamesAWinnerAmongEquals) {
  std::mt19937_64 random(3);
  std::normal_distribution<double> noise(0, 0.05);
  int named = 0;
  constexpr int kCases = 4000;
  for (int c = 0; c < kCases; ++c) {
    std::vector<std::vector<double>> times(2);
    for (auto& rounds : times) {
      for (int r = 0; r < 7; ++r) rounds.push_back(std::exp(noise(random)));
    }
    named += !compare({1, 1}, std::span(kNames, 2), times).winner.empty();
  }
  EXPECT_NEAR(static_cast<double>(named) / kCases, 2.0 / 128, 0.01);
}

}  // namespace
}  // namespace octavo::eval
