// What the attention kernels share of a row of scores. Include after one of the Vec headers.
#pragma once

#include "kernels/attention/attention.h"
#include "kernels/simd/exponentials.inl.h"

namespace octavo::kernels {
namespace {

// Rows an odd number of cache lines apart fall into different sets of the cache.
OCTAVO_INLINE std::size_t spread_stride(std::size_t floats) {
  return ((floats + 15) / 16 | 1) * 16;
}

// The keys that query i sees.
struct Reach {
  std::size_t low, high;
};
OCTAVO_INLINE Reach reach_of(const AttentionArgs& args, std::size_t first, std::size_t rows) {
  const std::size_t window = args.window, tokens = args.tokens, last = first + rows;
  return {first > window ? first - window : 0,
          window < tokens && last + window < tokens ? last + window : tokens};
}

// Brings row j of [tokens, head_size] near, or the last one. The heads of a row lie pages apart
// from those of the next, which the CPU does not foresee. kNear: 3 is the first cache, 2 the
// second.
template <int kNear = 3>
OCTAVO_INLINE void fetch_row(const AttentionArgs& args, const float* x, std::size_t ld,
                             std::size_t j) {
  const float* row = x + (j < args.tokens ? j : args.tokens - 1) * ld;
  for (std::size_t d = 0; d < args.head_size; d += 16) __builtin_prefetch(row + d, 0, kNear);
}
constexpr std::size_t kFetchAhead = 8;

constexpr float kLog2E = 1.44269504088896341f;

// x[0, count) += bias[clamp(j - i)] for keys j = first, first + 1, ... of query i.
OCTAVO_INLINE void add_relative_bias(const AttentionArgs& args, std::size_t i, std::size_t first,
                                     float* x, std::size_t count) {
  const float* bias = args.relative_bias;
  const std::size_t radius = args.radius;
  std::size_t p = 0;
  for (; p < count && first + p + radius < i; ++p) x[p] += bias[0];
  std::size_t inner = first + p < i + radius + 1 ? i + radius + 1 - (first + p) : 0;
  if (inner > count - p) inner = count - p;
  const float* from = bias + (radius + first + p - i);
  const std::size_t end = p + inner;
  for (; p + kWidth <= end; p += kWidth, from += kWidth) store(x + p, load(x + p) + load(from));
  if (p < end) {
    store_partial(x + p, load_partial(x + p, end - p) + load_partial(from, end - p), end - p);
  }
  for (p = end; p < count; ++p) x[p] += bias[2 * radius];
}

// 2^y times what the coefficients are times, y <= 0, by a polynomial for 2^r on [0, 1). Below -125
// it is that of -125.
template <std::size_t kTerms>
OCTAVO_INLINE Vec exp2_below(Vec y, const float (&coefficients)[kTerms]) {
  y = max(set(-125.0f), y);
  const Vec r = fraction(y);
  Vec p = set(coefficients[kTerms - 1]);
  for (std::size_t i = kTerms - 1; i-- > 0;) p = fma(p, r, set(coefficients[i]));
  return scale_floor(p, y);
}

}  // namespace
}  // namespace octavo::kernels
