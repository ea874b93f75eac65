// Order statistics of times: what can be said of them without a guess about their distribution.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "octavo/benchmark.h"

namespace octavo::eval {

/// Mean of the two middle values where their number is even. Of at least one value.
double median(std::vector<double> values);
/// The smallest value that at least `share` of the values do not exceed (nearest rank), 0 < share
/// <= 1. Of at least one value.
double quantile(std::vector<double> values, double share);

/// The greatest rank r (from 1) for which [r-th smallest, r-th greatest] of n independent values
/// holds the median of their distribution with at least `confidence`: the number of values below
/// the median is binomial(n, 1/2). 0 when n is too small for any (below 6 for 95 %). Source: David
/// and Nagaraja, Order Statistics, 7.1.
std::size_t median_interval_rank(std::size_t n, double confidence);

/// That interval of `values`; nothing when there are too few.
std::optional<Interval> median_interval(std::vector<double> values, double confidence = 0.95);

}  // namespace octavo::eval
