#include "eval/bench/statistics.h"

#include <algorithm>
#include <cmath>

namespace octavo::eval {

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t n = values.size();
  return n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

double quantile(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  const auto n = static_cast<double>(values.size());
  // A share such as 0.9 is not exact: 0.9 * 10 must still be rank 9.
  const double rank = std::clamp(std::ceil(share * n - 1e-9 * n), 1.0, n);
  return values[static_cast<std::size_t>(rank) - 1];
}

std::size_t median_interval_rank(std::size_t n, double confidence) {
  const double tail = (1 - confidence) / 2;
  double log_choose = 0, below = 0;  // P(binomial(n, 1/2) < rank)
  for (std::size_t rank = 1; rank <= n / 2 + 1; ++rank) {
    below += std::exp(log_choose - static_cast<double>(n) * std::log(2.0));
    if (below > tail) return rank - 1;
    log_choose += std::log(static_cast<double>(n - rank + 1)) - std::log(static_cast<double>(rank));
  }
  return n / 2;
}

std::optional<Interval> median_interval(std::vector<double> values, double confidence) {
  const std::size_t rank = median_interval_rank(values.size(), confidence);
  if (rank == 0) return std::nullopt;
  std::sort(values.begin(), values.end());
  return Interval{values[rank - 1], values[values.size() - rank]};
}

}  // namespace octavo::eval
