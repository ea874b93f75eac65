// The int8 dot product of AVX-VNNI. Include after kernels/simd/avx2.h.
#pragma once

#include "kernels/gemm/dot_avx2.inl.h"

namespace octavo::kernels {
namespace {

struct DotAvxVnni {
  using Sum = std::int32_t;
  using Acc = __m256i;
  using A = __m256i;
  using B = __m256i;
  static constexpr GemmType kType = GemmType::kInt8;
  static constexpr std::size_t kColumns = 8, kRows = 6, kRegisters = 12;
  static constexpr std::size_t kAttentionRows = 6, kAttentionGroups = 1;
  OCTAVO_INLINE static Acc zero() { return _mm256_setzero_si256(); }
  OCTAVO_INLINE static B load_b(const std::byte* p) { return load_256(p); }
  OCTAVO_INLINE static A broadcast_a(const std::byte* p) { return _mm256_set1_epi32(load_quad(p)); }
  OCTAVO_INLINE static Acc dot(Acc acc, A a, B b) { return _mm256_dpbusd_avx_epi32(acc, a, b); }
  OCTAVO_INLINE static void store_sums(const Acc* acc, Sum* out) {
    _mm256_store_si256(reinterpret_cast<__m256i*>(out), acc[0]);
    _mm256_store_si256(reinterpret_cast<__m256i*>(out + 8), acc[1]);
  }
};

}  // namespace
}  // namespace octavo::kernels
