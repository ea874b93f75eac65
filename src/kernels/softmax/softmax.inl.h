// The one source of softmax. Include after one of the Vec headers.
#pragma once

#include "kernels/simd/exponentials.inl.h"
#include "kernels/softmax/softmax.h"

namespace octavo::kernels {
namespace {

OCTAVO_INLINE void softmax(const SoftmaxArgs& args) {
  const std::size_t width = args.width;
  for (std::size_t row = 0; row < args.rows; ++row) {
    const float* x = args.x + row * args.ld_x;
    float* y = args.y + row * args.ld_y;
    const Vec factor = set(1.0f / exponentials(x, y, width));
    std::size_t p = 0;
    for (; p + kWidth <= width; p += kWidth) store(y + p, load(y + p) * factor);
    if (p < width) {
      const std::size_t left = width - p;
      store_partial(y + p, load_partial(y + p, left) * factor, left);
    }
  }
}

}  // namespace
}  // namespace octavo::kernels

// Defines the functions that kernels.inc names, in octavo::kernels::isa.
#define OCTAVO_DEFINE_SOFTMAX(isa)                                      \
  namespace octavo::kernels::isa {                                      \
  void softmax_run(const SoftmaxArgs& args) noexcept { softmax(args); } \
  }
