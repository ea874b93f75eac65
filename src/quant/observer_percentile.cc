// Percentiles of a histogram, as HistogramCollector.compute_percentile gives them: the lower edge
// of the bin that the cumulative distribution reaches.
#include <algorithm>

#include "quant/observers.h"

namespace octavo::quant {
namespace {

/// The first bin with at least `share` of all counts in it and the bins before it.
std::size_t bin_of(const Histogram& histogram, double share) {
  const double wanted = share * static_cast<double>(histogram.total());
  double sum = 0;
  for (std::size_t i = 0; i < histogram.counts().size(); ++i) {
    sum += static_cast<double>(histogram.counts()[i]);
    if (sum >= wanted) return i;
  }
  return histogram.counts().size();
}

}  // namespace

TensorRange PercentileObserver::range() const {
  if (histogram().empty()) return {};
  const double share = options().percentile / 100;
  const TensorRange seen = histogram().extent();
  if (share >= 1) {
    if (!options().symmetric) return seen;
    const float most = std::max(-seen.min, seen.max);
    return {-most, most};
  }
  if (options().symmetric) {
    const double most = histogram().edge(bin_of(histogram(), share));
    const double bound = std::max(-static_cast<double>(seen.min), static_cast<double>(seen.max));
    const auto limit = static_cast<float>(std::min(most, bound));
    return {-limit, limit};
  }
  const double cut = (1 - share) / 2;
  const auto low = static_cast<float>(histogram().edge(bin_of(histogram(), cut)));
  const auto high = static_cast<float>(histogram().edge(bin_of(histogram(), 1 - cut)));
  const float min = std::clamp(low, seen.min, seen.max);
  return {min, std::clamp(high, min, seen.max)};
}

}  // namespace octavo::quant
