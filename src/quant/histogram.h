// A histogram of a stream whose extent is not known beforehand: bins of one width around zero. It
// begins with the extent of the first sample. A larger value adds bins of the same width at the
// ends; once there would be more than twice as many as at first, neighbours are merged in pairs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "quant/ranges.h"

namespace octavo::quant {

class Histogram {
 public:
  /// `bins` is even. With `magnitudes` it counts |x| over [0, limit()], else x over
  /// [-limit(), limit()].
  Histogram(std::size_t bins, bool magnitudes) : first_bins_(bins), magnitudes_(magnitudes) {}

  /// Finite values.
  void add(std::span<const float> values);

  bool empty() const { return total_ == 0; }
  std::uint64_t total() const { return total_; }
  double limit() const { return limit_; }
  TensorRange extent() const { return extent_; }  // of the values, signs kept
  const std::vector<std::uint64_t>& counts() const { return counts_; }
  /// Lower edge of bin i; edge(counts().size()) is limit().
  double edge(std::size_t i) const;

  std::vector<double> state() const;
  bool restore(std::span<const double> state);

 private:
  void begin(double limit);
  void grow(double limit);
  void merge_pairs();

  std::size_t first_bins_;
  bool magnitudes_;
  double limit_ = 0;
  std::uint64_t total_ = 0;
  TensorRange extent_{};
  std::vector<std::uint64_t> counts_;
};

}  // namespace octavo::quant
