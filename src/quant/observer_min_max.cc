// The extent of everything seen.
#include <algorithm>
#include <cmath>

#include "quant/observers.h"

namespace octavo::quant {

void MinMaxObserver::observe(std::span<const float> values) {
  if (values.empty()) return;
  const TensorRange one = extent(values);
  min_ = seen_ ? std::min<double>(min_, one.min) : one.min;
  max_ = seen_ ? std::max<double>(max_, one.max) : one.max;
  seen_ = true;
}

TensorRange MinMaxObserver::range() const {
  const auto low = static_cast<float>(min_), high = static_cast<float>(max_);
  if (!options_.symmetric) return {low, high};
  const float most = std::max(std::abs(low), std::abs(high));
  return {-most, most};
}

}  // namespace octavo::quant
