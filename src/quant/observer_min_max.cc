// The extent of everything seen.
#include <algorithm>
#include <cmath>

#include "quant/observers.h"

namespace octavo::quant {

void MinMaxObserver::observe(std::span<const float> values) {
  if (values.empty()) return;
  const TensorRange one = extent(values);
  range_ = seen_ ? TensorRange{std::min(range_.min, one.min), std::max(range_.max, one.max)} : one;
  seen_ = true;
}

TensorRange MinMaxObserver::range() const {
  if (!options_.symmetric) return range_;
  const float most = std::max(std::abs(range_.min), std::abs(range_.max));
  return {-most, most};
}

std::vector<double> MinMaxObserver::state() const {
  if (!seen_) return {};
  return {range_.min, range_.max};
}

bool MinMaxObserver::restore(std::span<const double> state) {
  if (state.empty()) {
    *this = MinMaxObserver(options_);
    return true;
  }
  if (state.size() != 2 || !(state[0] <= state[1]) || !std::isfinite(state[0]) ||
      !std::isfinite(state[1])) {
    return false;
  }
  seen_ = true;
  range_ = {static_cast<float>(state[0]), static_cast<float>(state[1])};
  return true;
}

}  // namespace octavo::quant
