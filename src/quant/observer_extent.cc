// The state of observers that keep two numbers.
#include <cmath>

#include "quant/observers.h"

namespace octavo::quant {

std::vector<double> ExtentObserver::state() const {
  if (!seen_) return {};
  return {min_, max_};
}

bool ExtentObserver::restore(std::span<const double> state) {
  if (state.empty()) {
    seen_ = false;
    min_ = max_ = 0;
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
