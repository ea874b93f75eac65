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

std::vector<double> MovingAverageObserver::state() const {
  if (!seen_) return {};
  return {min_, max_};
}

bool MovingAverageObserver::restore(std::span<const double> state) {
  if (state.empty()) {
    *this = MovingAverageObserver(options_);
    return true;
  }
  if (state.size() != 2 || !(state[0] <= state[1]) || !std::isfinite(state[0]) ||
      !std::isfinite(state[1])) {
    return false;
  }
  seen_ = true;
  min_ = state[0];
  max_ = state[1];
  return true;
}

}  // namespace octavo::quant
