// One axis of a chart: from values to places, and where its ticks are.
#pragma once

#include <vector>

namespace octavo::eval {

class Axis {
 public:
  /// Values are finite, and above 0 when `log`. [from, to] are the places of the lowest and the
  /// highest one.
  Axis(const std::vector<double>& values, bool log, double from, double to);

  /// Ends the axis at its outermost ticks.
  void use_ticks(std::vector<double> ticks);
  /// Places the ticks without moving the ends.
  void mark(std::vector<double> ticks) { ticks_ = std::move(ticks); }
  double place(double value) const;
  double low() const { return low_; }
  double high() const { return high_; }
  void start_at(double value) { low_ = value; }
  const std::vector<double>& ticks() const { return ticks_; }

 private:
  bool log_;
  double from_, to_, low_ = 0, high_ = 1;
  std::vector<double> ticks_;
};

}  // namespace octavo::eval
