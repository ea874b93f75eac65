// Row-wise softmax, float32: y = exp(x - max) / sum over `width` values, the sum in an order that
// depends on width alone. Relative error 5e-7 + 2^-24 (max - x). A NaN makes the row NaN, and so
// does an infinity, or -infinity alone.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "base/cpu.h"

namespace octavo::kernels {

struct SoftmaxArgs {
  const float* x;  // [rows, width], row stride ld_x
  std::size_t ld_x;
  float* y;  // may be x
  std::size_t ld_y;
  std::size_t rows, width;
};

struct SoftmaxKernel {
  std::string_view name;
  IsaMask isa;
  void (*softmax)(const SoftmaxArgs& args) noexcept;
};

std::span<const SoftmaxKernel> softmax_kernels();
const SoftmaxKernel& choose_softmax(IsaMask isa);

}  // namespace octavo::kernels
