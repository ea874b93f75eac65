// The mean of the samples' extents.
#include <algorithm>
#include <cmath>

#include "quant/observers.h"

namespace octavo::quant {

void MovingAverageObserver::observe(std::span<const float> values) {
  if (values.empty()) return;
  const TensorRange one = extent(values);
  samples_ += 1;
  min_ += (one.min - min_) / samples_;
  max_ += (one.max - max_) / samples_;
}

TensorRange MovingAverageObserver::range() const {
  const auto low = static_cast<float>(min_), high = static_cast<float>(max_);
  if (!options_.symmetric) return {low, high};
  const float most = std::max(std::abs(low), std::abs(high));
  return {-most, most};
}

std::vector<double> MovingAverageObserver::state() const {
  if (samples_ == 0) return {};
  return {samples_, min_, max_};
}

bool MovingAverageObserver::restore(std::span<const double> state) {
  if (state.empty()) {
    samples_ = min_ = max_ = 0;
    return true;
  }
  if (state.size() != 3 || !(state[0] >= 1) || std::floor(state[0]) != state[0] ||
      !std::isfinite(state[0]) || !(state[1] <= state[2]) || !std::isfinite(state[1]) ||
      !std::isfinite(state[2])) {
    return false;
  }
  samples_ = state[0];
  min_ = state[1];
  max_ = state[2];
  return true;
}

}  // namespace octavo::quant
