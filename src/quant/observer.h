// Observers: what calibration keeps of a value over all samples, in memory that does not depend on
// how many there are, and the range each makes of it. The algorithms are those of
// onnxruntime.quantization.calibrate; their defaults are in ObserverOptions.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "quant/ranges.h"

namespace octavo::quant {

enum class CalibrationMethod { kMinMax, kMovingAverage, kPercentile, kEntropy };

/// "minmax", "moving_average", "percentile" or "entropy"; Error(kInvalidArgument) otherwise.
CalibrationMethod parse_calibration_method(std::string_view name);
std::string_view calibration_method_name(CalibrationMethod method);

struct ObserverOptions {
  CalibrationMethod method = CalibrationMethod::kMinMax;
  bool symmetric = false;  // ranges [-a, a]
  /// Percentile: how much of the distribution the range keeps; 100 keeps all.
  double percentile = 99.999;
  /// Percentile and entropy: bins of a histogram when it begins; it grows to at most twice as many.
  std::size_t bins = 2048;
  /// Entropy: levels that a candidate range is cut into; fewer than `bins`, or the range is that of
  /// minmax.
  std::size_t quantized_levels = 128;
};

/// Error(kInvalidArgument) for options out of range.
void check_observer_options(const ObserverOptions& options);

/// Watches one value.
class Observer {
 public:
  virtual ~Observer() = default;
  /// All elements of the value in one sample, all finite. An empty sample counts for nothing.
  virtual void observe(std::span<const float> values) = 0;
  /// {0, 0} before the first sample.
  virtual TensorRange range() const = 0;

  /// Everything it knows as numbers, for a file; restore() makes an observer of the same options
  /// go on from there, and gives false, changing nothing, for numbers that no state() gave.
  virtual std::vector<double> state() const = 0;
  virtual bool restore(std::span<const double> state) = 0;
};

std::unique_ptr<Observer> make_observer(const ObserverOptions& options);

/// Smallest and largest element; {0, 0} of nothing.
TensorRange extent(std::span<const float> values);

}  // namespace octavo::quant
