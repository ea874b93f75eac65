// The moving average of the samples' extents.
#include <algorithm>
#include <cmath>

#include "quant/observers.h"

namespace octavo::quant {

void MovingAverageObserver::observe(std::span<const float> values) {
  if (values.empty()) return;
  TensorRange one = extent(values);
  if (options_.symmetric) {
    const float most = std::max(std::abs(one.min), std::abs(one.max));
    one = {-most, most};
  }
  const double weight = seen_ ? options_.averaging_constant : 1.0;
  min_ += weight * (one.min - min_);
  max_ += weight * (one.max - max_);
  seen_ = true;
}

TensorRange MovingAverageObserver::range() const {
  return {static_cast<float>(min_), static_cast<float>(max_)};
}

}  // namespace octavo::quant
