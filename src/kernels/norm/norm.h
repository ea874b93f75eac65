// Row-wise LayerNormalization, float32: y = (x - mean) / sqrt(variance + epsilon) * scale + bias
// over `width` values, mean and variance over the row in two passes, in an order that depends on
// width alone.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "base/cpu.h"

namespace octavo::kernels {

struct LayerNormArgs {
  const float* x;  // [rows, width], row stride ld_x
  std::size_t ld_x;
  float* y;  // may be x
  std::size_t ld_y;
  std::size_t rows, width;
  const float* scale;           // [width]
  const float* bias = nullptr;  // [width] or absent
  float epsilon;
};

struct NormKernel {
  std::string_view name;
  IsaMask isa;
  void (*layer_norm)(const LayerNormArgs& args) noexcept;
};

std::span<const NormKernel> norm_kernels();
const NormKernel& choose_norm(IsaMask isa);

}  // namespace octavo::kernels
