#include "quant/loss.h"

#include <algorithm>
#include <cmath>

#include "octavo/error.h"

namespace octavo::quant {

const Tensor& compared_output(const std::vector<Tensor>& outputs) {
  const auto floats = [](const Tensor& output) { return output.dtype() == DType::kFloat32; };
  const auto rows = [&](const Tensor& output) { return floats(output) && output.rank() == 3; };
  auto at = std::ranges::find_if(outputs, rows);
  if (at == outputs.end()) at = std::ranges::find_if(outputs, floats);
  if (at != outputs.end()) return *at;
  throw Error(ErrorCode::kUnsupported, "the model has no output of floats that could be compared");
}

void OutputLoss::add(const Tensor& expected, const Tensor& found) {
  if (expected.shape() != found.shape() || expected.dtype() != DType::kFloat32 ||
      found.dtype() != DType::kFloat32 || expected.rank() == 0) {
    throw Error(ErrorCode::kInvalidArgument, {.message = "two outputs cannot be compared",
                                              .expected = shape_to_string(expected.shape()),
                                              .found = shape_to_string(found.shape())});
  }
  const auto width = static_cast<std::size_t>(expected.shape().back());
  const auto x = expected.data<float>(), y = found.data<float>();
  for (std::size_t first = 0; width != 0 && first + width <= x.size(); first += width) {
    double xx = 0, yy = 0, xy = 0, noise = 0;
    for (std::size_t i = first; i < first + width; ++i) {
      const double a = x[i], b = y[i];
      xx += a * a;
      yy += b * b;
      xy += a * b;
      noise += (a - b) * (a - b);
    }
    cosines_ += noise == 0 ? 1 : xx == 0 || yy == 0 ? 0 : xy / std::sqrt(xx * yy);
    signal_ += xx;
    noise_ += noise;
    ++rows_;
  }
}

double OutputLoss::sqnr_db() const {
  constexpr double kMost = 200;
  if (noise_ == 0 || rows_ == 0) return kMost;
  if (signal_ == 0) return -kMost;
  return std::clamp(10 * std::log10(signal_ / noise_), -kMost, kMost);
}

}  // namespace octavo::quant
