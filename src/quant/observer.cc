#include "quant/observer.h"

#include <algorithm>
#include <cmath>

#include "octavo/error.h"
#include "quant/observers.h"

namespace octavo::quant {
namespace {

using enum CalibrationMethod;
constexpr CalibrationMethod kMethods[] = {kMinMax, kMovingAverage, kPercentile, kEntropy};

[[noreturn]] void refuse(std::string message, std::string expected, std::string found) {
  throw Error(
      ErrorCode::kInvalidArgument,
      {.message = std::move(message), .expected = std::move(expected), .found = std::move(found)});
}

}  // namespace

std::string_view calibration_method_name(CalibrationMethod method) {
  switch (method) {
    case kMinMax: return "minmax";
    case kMovingAverage: return "moving_average";
    case kPercentile: return "percentile";
    case kEntropy: return "entropy";
  }
  return "minmax";
}

CalibrationMethod parse_calibration_method(std::string_view name) {
  for (const CalibrationMethod method : kMethods) {
    if (calibration_method_name(method) == name) return method;
  }
  refuse("unknown calibration method", "minmax, moving_average, percentile or entropy",
         "'" + std::string(name) + "'");
}

void check_observer_options(const ObserverOptions& options) {
  const auto in = [](double x, double low, double high) { return x >= low && x <= high; };
  if (!in(options.percentile, 50, 100))
    refuse("the percentile is out of range", "50 to 100", std::to_string(options.percentile));
  if (options.bins < 4 || options.bins > 65536 || options.bins % 2 != 0)
    refuse("the number of bins is out of range", "an even number from 4 to 65536",
           std::to_string(options.bins));
  if (options.quantized_levels < 2 || options.quantized_levels % 2 != 0 ||
      options.quantized_levels > options.bins)
    refuse("the number of quantised levels is out of range",
           "an even number from 2 to the number of bins", std::to_string(options.quantized_levels));
}

std::unique_ptr<Observer> make_observer(const ObserverOptions& options) {
  switch (options.method) {
    case kMinMax: break;
    case kMovingAverage: return std::make_unique<MovingAverageObserver>(options);
    case kPercentile: return std::make_unique<PercentileObserver>(options);
    case kEntropy: return std::make_unique<EntropyObserver>(options);
  }
  return std::make_unique<MinMaxObserver>(options);
}

TensorRange extent(std::span<const float> values) {
  if (values.empty()) return {};
  // Several chains, so that the compiler may use vectors.
  constexpr std::size_t kChains = 16;
  float low[kChains], high[kChains];
  std::fill_n(low, kChains, values[0]);
  std::fill_n(high, kChains, values[0]);
  std::size_t i = 0;
  for (; i + kChains <= values.size(); i += kChains) {
    for (std::size_t c = 0; c < kChains; ++c) {
      low[c] = values[i + c] < low[c] ? values[i + c] : low[c];
      high[c] = values[i + c] > high[c] ? values[i + c] : high[c];
    }
  }
  for (; i < values.size(); ++i) {
    low[0] = std::min(low[0], values[i]);
    high[0] = std::max(high[0], values[i]);
  }
  return {*std::min_element(low, low + kChains), *std::max_element(high, high + kChains)};
}

}  // namespace octavo::quant
