// The int8 dot product of AVX-512 VNNI. Include after kernels/simd/avx512.h.
#pragma once

#include "kernels/gemm/dot_avx512.inl.h"

namespace octavo::kernels {
namespace {

struct DotVnni : DotAvx512Int {
  static constexpr std::size_t kAttentionRows = 12, kAttentionGroups = 2;
  OCTAVO_INLINE static __m512i dot(__m512i acc, __m512i a, __m512i b) {
    return _mm512_dpbusd_epi32(acc, a, b);
  }
};

}  // namespace
}  // namespace octavo::kernels
