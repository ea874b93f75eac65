#include "quant/scale.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "octavo/error.h"

namespace octavo::quant {
namespace {

struct Extent {
  float min = 0, max = 0;  // zero is in every range
};

[[noreturn]] void refuse_weights(const std::string& name) {
  throw Error(ErrorCode::kUnsupported, {.message = "weights are not finite",
                                        .place = "tensor '" + name + "'",
                                        .expected = "finite numbers",
                                        .found = "infinity or NaN",
                                        .fix = "export the model again"});
}

/// Axis 0: runs of `inner` elements; axis 1 of a matrix: columns; no axis: one run.
std::vector<Extent> extents(std::span<const float> x, std::size_t rows, std::size_t columns,
                            bool by_column, const std::string& name) {
  std::vector<Extent> out(by_column ? columns : rows);
  bool finite = true;
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t c = 0; c < columns; ++c) {
      const float value = x[r * columns + c];
      Extent& extent = out[by_column ? c : r];
      finite &= std::isfinite(value);
      extent.min = std::min(extent.min, value);
      extent.max = std::max(extent.max, value);
    }
  }
  if (!finite) refuse_weights(name);
  return out;
}

template <typename T>
void fill(std::span<const float> x, std::size_t columns, bool by_column,
          const std::vector<Scale>& scales, std::span<T> out) {
  const float low = std::numeric_limits<T>::min(), high = std::numeric_limits<T>::max();
  for (std::size_t i = 0; i < x.size(); ++i) {
    const Scale& s = scales[by_column ? i % columns : i / columns];
    const float value = std::nearbyint(x[i] / s.scale) + static_cast<float>(s.zero);
    out[i] = static_cast<T>(std::clamp(value, low, high));
  }
}

}  // namespace

int IntegerScheme::low() const {
  if (type == QuantizedType::kUInt8) return 0;
  return reduced ? -64 : symmetric ? -127 : -128;
}

int IntegerScheme::high() const {
  if (type == QuantizedType::kUInt8) return reduced ? 127 : 255;
  return reduced ? 64 : 127;
}

IntegerScheme weight_scheme(const QuantizeOptions& options) {
  const bool one_zero_point = options.mode == QuantizeMode::kStatic && options.per_channel &&
                              options.format == QuantizeFormat::kQdq;
  const bool usual = options.weight_type == QuantizedType::kInt8 || one_zero_point;
  return {options.weight_type, options.weight_symmetric.value_or(usual), options.reduce_range};
}

IntegerScheme table_scheme(const QuantizeOptions& options) {
  const bool as_weights = options.weight_type == QuantizedType::kUInt8;
  const bool symmetric =
      as_weights ? options.weight_symmetric.value_or(false) : options.activation_symmetric;
  return {QuantizedType::kUInt8, symmetric, false};
}

Scale choose_scale(float min, float max, const IntegerScheme& scheme) {
  min = std::min(min, 0.0f);
  max = std::max(max, 0.0f);
  if (scheme.symmetric) {
    max = std::max(-min, max);
    min = -max;
  }
  const double low = scheme.low(), high = scheme.high();
  const double scale = (double{max} - double{min}) / (high - low);
  if (scale < double{std::numeric_limits<float>::min()}) return {};
  const double zero = scheme.symmetric ? (low + high) / 2 : low - double{min} / scale;
  return {static_cast<float>(scale), static_cast<int>(std::nearbyint(zero))};
}

void require_finite(const Tensor& floats, const std::string& name) {
  if (!std::ranges::all_of(floats.data<float>(), [](float x) { return std::isfinite(x); }))
    refuse_weights(name);
}

QuantizedTensor quantize_tensor(const Tensor& floats, const IntegerScheme& scheme,
                                std::optional<std::size_t> axis, const std::string& name) {
  const auto x = floats.data<float>();
  if (axis && (floats.rank() != 2 || *axis > 1))
    throw Error(ErrorCode::kInternal, "a scale an index is for matrices");
  const bool by_column = axis == std::size_t{1};
  const std::size_t rows = axis ? static_cast<std::size_t>(floats.dim(0)) : 1;
  const std::size_t columns = axis ? static_cast<std::size_t>(floats.dim(1)) : x.size();
  std::vector<Scale> scales;
  for (const Extent& extent : extents(x, rows, columns, by_column, name))
    scales.push_back(choose_scale(extent.min, extent.max, scheme));
  QuantizedTensor out;
  out.values = Tensor(scheme.dtype(), floats.shape());
  const Shape shape = axis ? Shape{static_cast<std::int64_t>(scales.size())} : Shape{};
  out.scale = Tensor(DType::kFloat32, shape);
  out.zero = Tensor(scheme.dtype(), shape);
  for (std::size_t i = 0; i < scales.size(); ++i) {
    out.scale.mutable_data<float>()[i] = scales[i].scale;
    if (scheme.type == QuantizedType::kInt8) {
      out.zero.mutable_data<std::int8_t>()[i] = static_cast<std::int8_t>(scales[i].zero);
    } else {
      out.zero.mutable_data<std::uint8_t>()[i] = static_cast<std::uint8_t>(scales[i].zero);
    }
  }
  if (scheme.type == QuantizedType::kInt8) {
    fill(x, columns, by_column, scales, out.values.mutable_data<std::int8_t>());
  } else {
    fill(x, columns, by_column, scales, out.values.mutable_data<std::uint8_t>());
  }
  return out;
}

}  // namespace octavo::quant
