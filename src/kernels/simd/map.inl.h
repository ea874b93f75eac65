// Arrays through exp and erf. Include after one of the Vec headers.
#pragma once

#include "kernels/simd/math.h"
#include "kernels/simd/math.inl.h"

namespace octavo::kernels {
namespace {

template <class Function>
OCTAVO_INLINE void map(const float* x, float* y, std::size_t count, Function function) {
  std::size_t p = 0;
  for (; p + kWidth <= count; p += kWidth) store(y + p, function(load(x + p)));
  if (p < count) store_partial(y + p, function(load_partial(x + p, count - p)), count - p);
}

}  // namespace
}  // namespace octavo::kernels

// Defines the functions that kernels.inc names, in octavo::kernels::isa.
#define OCTAVO_DEFINE_MATH(isa)                                        \
  namespace octavo::kernels::isa {                                     \
  void exp_run(const float* x, float* y, std::size_t count) noexcept { \
    map(x, y, count, [](Vec v) { return exp(v); });                    \
  }                                                                    \
  void erf_run(const float* x, float* y, std::size_t count) noexcept { \
    map(x, y, count, [](Vec v) { return erf(v); });                    \
  }                                                                    \
  }
