// The interval against the normal approximation, and its edges.
#include "eval/compare/bootstrap.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

namespace octavo::eval {
namespace {

TEST(Bootstrap, AgreesWithTheNormalApproximation) {
  std::mt19937 random(3);
  std::normal_distribution<double> normal(0.02, 0.3);
  std::vector<double> values(400);
  for (double& v : values) v = normal(random);
  double mean = 0, square = 0;
  for (const double v : values) mean += v / 400;
  for (const double v : values) square += (v - mean) * (v - mean) / 399;
  const double error = std::sqrt(square / 400);
  const Interval interval = bootstrap_mean(values, 10000);
  EXPECT_NEAR(interval.low, mean - 1.96 * error, 0.1 * error);
  EXPECT_NEAR(interval.high, mean + 1.96 * error, 0.1 * error);
}

TEST(Bootstrap, CoversTheTruthAsOftenAsItSays) {
  std::mt19937 random(5);
  std::exponential_distribution<double> skewed(1.0);
  int covered = 0;
  constexpr int kTrials = 300;
  for (int trial = 0; trial < kTrials; ++trial) {
    std::vector<double> values(100);
    for (double& v : values) v = skewed(random) - 1;
    const Interval interval = bootstrap_mean(values, 500);
    covered += interval.low <= 0 && interval.high >= 0;
  }
  EXPECT_GE(covered, kTrials * 89 / 100);
  EXPECT_LE(covered, kTrials * 99 / 100);
}

TEST(Bootstrap, EqualValuesAndFewOnesHaveNoWidth) {
  for (const std::vector<double>& values :
       {std::vector<double>{0.25}, std::vector<double>(50, 0.25)}) {
    const Interval interval = bootstrap_mean(values, 100);
    EXPECT_DOUBLE_EQ(interval.low, 0.25);
    EXPECT_DOUBLE_EQ(interval.high, 0.25);
  }
  const Interval none = bootstrap_mean({}, 100);
  EXPECT_EQ(none.low, 0);
  EXPECT_EQ(none.high, 0);
}

TEST(Bootstrap, GivesTheSameIntervalAgain) {
  const std::vector<double> values = {0.1, -0.2, 0.3, 0, 0.05};
  const Interval a = bootstrap_mean(values, 1000), b = bootstrap_mean(values, 1000);
  EXPECT_EQ(a.low, b.low);
  EXPECT_EQ(a.high, b.high);
  EXPECT_LT(a.low, a.high);
}

}  // namespace
}  // namespace octavo::eval
