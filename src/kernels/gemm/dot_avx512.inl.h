// What the 512-bit products share. Include after kernels/simd/avx512.h.
#pragma once

#include <cstring>

#include "kernels/gemm/layout.h"

namespace octavo::kernels {
namespace {

OCTAVO_INLINE std::int32_t load_quad(const std::byte* p) {
  std::int32_t out;
  std::memcpy(&out, p, sizeof out);
  return out;
}

struct DotAvx512Int {
  using Sum = std::int32_t;
  using Acc = __m512i;
  using A = __m512i;
  using B = __m512i;
  static constexpr GemmType kType = GemmType::kInt8;
  static constexpr std::size_t kColumns = 16, kRows = 8, kRegisters = 24;
  OCTAVO_INLINE static Acc zero() { return _mm512_setzero_si512(); }
  OCTAVO_INLINE static B load_b(const std::byte* p) { return _mm512_load_si512(p); }
  OCTAVO_INLINE static A broadcast_a(const std::byte* p) { return _mm512_set1_epi32(load_quad(p)); }
  OCTAVO_INLINE static void store_sums(const Acc* acc, Sum* out) {
    _mm512_store_si512(out, acc[0]);
  }
};

struct DotAvx512Float {
  using Sum = float;
  using Acc = __m512;
  static constexpr GemmType kType = GemmType::kBf16;
  static constexpr std::size_t kColumns = 16, kRows = 8, kRegisters = 24;
  OCTAVO_INLINE static Acc zero() { return _mm512_setzero_ps(); }
  OCTAVO_INLINE static void store_sums(const Acc* acc, Sum* out) { _mm512_store_ps(out, acc[0]); }
};

}  // namespace
}  // namespace octavo::kernels
