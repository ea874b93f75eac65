#include "eval/compare/bootstrap.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <vector>

namespace octavo::eval {
namespace {

constexpr std::uint64_t kSeed = 20260101;

double percentile(const std::vector<double>& sorted, double share) {
  const double at = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(std::floor(at));
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (at - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

}  // namespace

Interval bootstrap_mean(std::span<const double> differences, std::size_t resamples) {
  const std::size_t n = differences.size();
  if (n == 0) return {};
  const double mean =
      std::accumulate(differences.begin(), differences.end(), 0.0) / static_cast<double>(n);
  if (n < 2 || resamples == 0) return {mean, mean};
  std::mt19937_64 random(kSeed);
  std::vector<double> means(resamples);
  for (double& value : means) {
    double sum = 0;
    // The high half of a product maps 64 random bits to [0, n) alike on every machine.
    for (std::size_t i = 0; i < n; ++i) {
      sum += differences[static_cast<std::size_t>((static_cast<unsigned __int128>(random()) * n) >>
                                                  64)];
    }
    value = sum / static_cast<double>(n);
  }
  std::sort(means.begin(), means.end());
  return {percentile(means, 0.025), percentile(means, 0.975)};
}

}  // namespace octavo::eval
