// combine_rows by way of transpose_block, for the Vec headers that know no shorter one.
#pragma once

namespace octavo::kernels {
namespace {

template <class F>
OCTAVO_INLINE Vec combine_rows(const float* p, F f) {
  alignas(sizeof(Vec)) float turned[kWidth * kWidth];
  transpose_block(p, kWidth, turned, kWidth);
  Vec out = load(turned);
  for (std::size_t i = 1; i < kWidth; ++i) out = f(out, load(turned + i * kWidth));
  return out;
}

}  // namespace
}  // namespace octavo::kernels
