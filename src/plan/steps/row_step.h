// A step that treats every row by itself.
#pragma once

#include <algorithm>

#include "plan/step.h"

namespace octavo::plan {

class RowStep : public Step {
 public:
  /// `shape`: layout and width of what it writes.
  explicit RowStep(const View& shape) : layout_(shape.layout), width_(shape.width) {}

  bool row_wise() const final { return layout_ == Layout::kToken; }
  void run(const RunState& state) const noexcept override {
    // A task is worth a wake-up from so many floats on.
    constexpr std::size_t kFloats = 16384, kAlign = 16;
    const std::size_t grain = kFloats / std::max<std::size_t>(1, width_) / kAlign * kAlign;
    state.for_rows(state.rows(layout_), std::max(grain, kAlign),
                   [&](std::size_t first, std::size_t last) { run_rows(state, first, last); });
  }

 private:
  Layout layout_;
  std::size_t width_;
};

}  // namespace octavo::plan
