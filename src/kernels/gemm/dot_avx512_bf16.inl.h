// The bfloat16 dot product of AVX-512 BF16. Include after kernels/simd/avx512.h.
#pragma once

#include "kernels/gemm/dot_avx512.inl.h"

namespace octavo::kernels {
namespace {

struct DotBf16 : DotAvx512Float {
  static constexpr std::size_t kAttentionRows = 12, kAttentionGroups = 2;
  using A = __m512i;
  using B = __m512i;
  OCTAVO_INLINE static B load_b(const std::byte* p) { return _mm512_load_si512(p); }
  OCTAVO_INLINE static A broadcast_a(const std::byte* p) { return _mm512_set1_epi32(load_quad(p)); }
  OCTAVO_INLINE static Acc dot(Acc acc, A a, B b) {
    return _mm512_dpbf16_ps(acc, (__m512bh)a, (__m512bh)b);
  }
};

}  // namespace
}  // namespace octavo::kernels
