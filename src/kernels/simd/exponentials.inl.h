// The two passes of a softmax over one row. Include after one of the Vec headers.
#pragma once

#include "kernels/simd/at_most.inl.h"
#include "kernels/simd/math.inl.h"

namespace octavo::kernels {
namespace {

OCTAVO_INLINE float row_max(const float* x, std::size_t count) {
  std::size_t p = 0;
  Vec top0 = set(-__builtin_inff()), top1 = top0;
  for (; p + 2 * kWidth <= count; p += 2 * kWidth) {
    top0 = max(load(x + p), top0);
    top1 = max(load(x + p + kWidth), top1);
  }
  for (; p + kWidth <= count; p += kWidth) top0 = max(load(x + p), top0);
  if (count >= kWidth) {
    top0 = max(load(x + count - kWidth), top0);
    p = count;
  }
  float top = reduce_max(max(top0, top1));
  for (; p < count; ++p) top = x[p] > top ? x[p] : top;
  return top;
}

// y[0, count) becomes exp(x - max(x)); the result is the sum. y may be x.
OCTAVO_INLINE float exponentials(const float* x, float* y, std::size_t count) {
  const Vec shift = set(row_max(x, count));
  Vec sum0 = set(0.0f), sum1 = sum0;
  std::size_t p = 0;
  for (; p + 2 * kWidth <= count; p += 2 * kWidth) {
    const Vec e0 = exp(load(x + p) - shift), e1 = exp(load(x + p + kWidth) - shift);
    store(y + p, e0);
    store(y + p + kWidth, e1);
    sum0 += e0;
    sum1 += e1;
  }
  for (; p < count; p += kWidth) {
    const std::size_t left = at_most(count - p);
    const Vec e = keep_first(exp(load_partial(x + p, left) - shift), left);
    store_partial(y + p, e, left);
    sum0 += e;
  }
  return reduce_add(sum0 + sum1);
}

}  // namespace
}  // namespace octavo::kernels
