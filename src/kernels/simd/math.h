// exp and erf over arrays: the functions of math.inl.h made visible, for tests and for what has no
// kernel of its own.
//
//   exp   2 units in the last place; -inf gives 0, above 88.72 inf
//   erf   absolute error 2.5e-7
// A NaN stays a NaN. An element's result does not depend on its place.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "base/cpu.h"

namespace octavo::kernels {

struct MathKernel {
  std::string_view name;
  IsaMask isa;
  void (*exp)(const float* x, float* y, std::size_t count) noexcept;  // y may be x
  void (*erf)(const float* x, float* y, std::size_t count) noexcept;
};

std::span<const MathKernel> math_kernels();
const MathKernel& choose_math(IsaMask isa);

}  // namespace octavo::kernels
