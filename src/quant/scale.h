// Scales and zero points as onnxruntime's quantiser chooses them, and arrays quantised with them.
//
//   scale = (max - min) / (high - low) over a range that holds zero, in double, then float32;
//   zero  = round(low - min / scale), or the middle of the integers for symmetric ranges;
//   q     = clip(round(x / scale) + zero) to the whole type; rounding is to nearest even.
//
// A range of which the scale would be below the smallest normal float32 has scale 1, zero 0.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "octavo/quantize.h"
#include "tensor/tensor.h"

namespace octavo::quant {

/// What integers stand for floats.
struct IntegerScheme {
  QuantizedType type = QuantizedType::kInt8;
  bool symmetric = true;
  bool reduced = false;  // 7 bits

  DType dtype() const { return type == QuantizedType::kInt8 ? DType::kInt8 : DType::kUint8; }
  /// The integers that the range of floats is laid over: int8 -128..127, symmetric -127..127,
  /// reduced -64..64; uint8 0..255, reduced 0..127.
  int low() const;
  int high() const;
};

/// How weights of products are stored. Static QDQ with a scale a column is symmetric where the
/// options do not say: onnxruntime's QDQQuantizer takes every initialiser with an axis so.
IntegerScheme weight_scheme(const QuantizeOptions& options);
/// How tables of one scale are stored: uint8, as onnxruntime's quantiser stores what it takes for
/// an activation: symmetric as weights are that are uint8 too, else as activations are.
IntegerScheme table_scheme(const QuantizeOptions& options);

struct Scale {
  float scale = 1;
  int zero = 0;
};

Scale choose_scale(float min, float max, const IntegerScheme& scheme);

struct QuantizedTensor {
  Tensor values;  // int8 or uint8, the shape of the floats
  Tensor scale;   // float32: a scalar, or one an index of the axis
  Tensor zero;    // as values
};

/// Error(kUnsupported), with `name`, for weights that are not finite.
void require_finite(const Tensor& floats, const std::string& name);

/// Quantises float32, with one scale or with one an index of `axis` (0 or 1 of a matrix).
/// Error(kUnsupported), with `name`, for values that are not finite.
QuantizedTensor quantize_tensor(const Tensor& floats, const IntegerScheme& scheme,
                                std::optional<std::size_t> axis, const std::string& name);

}  // namespace octavo::quant
