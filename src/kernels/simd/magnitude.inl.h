// The largest magnitude of many floats. Include after one of the Vec headers.
#pragma once

#include <cstdint>

namespace octavo::kernels {
namespace {

typedef std::int32_t Bits __attribute__((vector_size(kWidth * sizeof(float))));

// Lane by lane the larger of |x| and top, a magnitude. A NaN is larger than an infinity, and that
// than all numbers: max would lose it.
OCTAVO_INLINE Vec larger_magnitude(Vec x, Vec top) {
  const Bits a = (Bits)abs(x), b = (Bits)top;
  return (Vec)(a > b ? a : b);
}

// The largest lane; a NaN where one is a NaN or an infinity.
OCTAVO_INLINE float largest_finite(Vec top) {
  return reduce_max(top) + reduce_add(top * set(0.0f));
}

}  // namespace
}  // namespace octavo::kernels
