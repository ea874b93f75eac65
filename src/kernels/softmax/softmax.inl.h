// The one source of softmax. Include after one of the Vec headers.
#pragma once

#include "kernels/simd/math.inl.h"
#include "kernels/softmax/softmax.h"

namespace octavo::kernels {
namespace {

OCTAVO_INLINE float row_max(const float* x, std::size_t width) {
  const Vec least = set(-__builtin_inff());
  Vec a = least, b = least;
  std::size_t p = 0;
  for (; p + 2 * kWidth <= width; p += 2 * kWidth) {
    a = max(load(x + p), a);
    b = max(load(x + p + kWidth), b);
  }
  for (; p + kWidth <= width; p += kWidth) a = max(load(x + p), a);
  float most = reduce_max(max(a, b));
  for (; p < width; ++p) most = x[p] > most ? x[p] : most;
  return most;
}

OCTAVO_INLINE void softmax(const SoftmaxArgs& args) {
  const std::size_t width = args.width;
  for (std::size_t row = 0; row < args.rows; ++row) {
    const float* x = args.x + row * args.ld_x;
    float* y = args.y + row * args.ld_y;
    const Vec most = set(row_max(x, width));
    Vec a = set(0.0f), b = a;
    std::size_t p = 0;
    for (; p + 2 * kWidth <= width; p += 2 * kWidth) {
      const Vec u = exp(load(x + p) - most), v = exp(load(x + p + kWidth) - most);
      store(y + p, u);
      store(y + p + kWidth, v);
      a += u;
      b += v;
    }
    for (; p < width; p += kWidth) {
      const std::size_t left = width - p < kWidth ? width - p : kWidth;
      const Vec u = keep_first(exp(load_partial(x + p, left) - most), left);
      store_partial(y + p, u, left);
      a += u;
    }
    const Vec factor = set(1.0f / reduce_add(a + b));
    for (p = 0; p + kWidth <= width; p += kWidth) store(y + p, load(y + p) * factor);
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
