// The one source of LayerNormalization. Include after one of the Vec headers.
#pragma once

#include "kernels/norm/norm.h"

namespace octavo::kernels {
namespace {

// Sum over the row of step(x), four accumulators wide; lanes past the row count as zero.
template <class Step>
OCTAVO_INLINE float row_sum(const float* x, std::size_t width, Step step) {
  Vec a = set(0.0f), b = a, c = a, d = a;
  std::size_t p = 0;
  for (; p + 4 * kWidth <= width; p += 4 * kWidth) {
    a += step(load(x + p));
    b += step(load(x + p + kWidth));
    c += step(load(x + p + 2 * kWidth));
    d += step(load(x + p + 3 * kWidth));
  }
  for (; p + kWidth <= width; p += kWidth) a += step(load(x + p));
  if (p < width) b += keep_first(step(load_partial(x + p, width - p)), width - p);
  return reduce_add((a + b) + (c + d));
}

OCTAVO_INLINE void layer_norm(const LayerNormArgs& args) {
  const std::size_t width = args.width;
  for (std::size_t row = 0; row < args.rows; ++row) {
    const float* x = args.x + row * args.ld_x;
    float* y = args.y + row * args.ld_y;
    const float count = static_cast<float>(width);
    const Vec mean = set(row_sum(x, width, [](Vec v) { return v; }) / count);
    const float variance =
        row_sum(x, width, [mean](Vec v) { return (v - mean) * (v - mean); }) / count;
    const Vec inverse = set(1.0f / __builtin_sqrtf(variance + args.epsilon));
    std::size_t p = 0;
    for (; p + kWidth <= width; p += kWidth) {
      const Vec bias = args.bias == nullptr ? set(0.0f) : load(args.bias + p);
      store(y + p, fma((load(x + p) - mean) * inverse, load(args.scale + p), bias));
    }
    if (p < width) {
      const std::size_t left = width - p;
      const Vec bias = args.bias == nullptr ? set(0.0f) : load_partial(args.bias + p, left);
      const Vec centered = load_partial(x + p, left) - mean;
      store_partial(y + p, fma(centered * inverse, load_partial(args.scale + p, left), bias), left);
    }
  }
}

}  // namespace
}  // namespace octavo::kernels

// Defines the functions that kernels.inc names, in octavo::kernels::isa.
#define OCTAVO_DEFINE_NORM(isa)                                                 \
  namespace octavo::kernels::isa {                                              \
  void layer_norm_run(const LayerNormArgs& args) noexcept { layer_norm(args); } \
  }
