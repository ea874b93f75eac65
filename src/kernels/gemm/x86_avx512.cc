// Packed products with plain AVX-512: int8 widened to int16, bfloat16 and half to float32.
#if defined(__x86_64__)
#include "kernels/simd/avx512.h"
//
#include "kernels/gemm/dot_avx512.inl.h"
#include "kernels/gemm/gemm.inl.h"
#include "kernels/gemm/half.inl.h"
#include "kernels/gemm/wide.inl.h"

namespace octavo::kernels {
namespace {

// A register holds the four int16 products of eight columns, as two int32 sums a column.
struct DotMadd {
  using Sum = std::int32_t;
  using Acc = __m512i;
  using A = __m512i;
  using B = __m512i;
  static constexpr GemmType kType = GemmType::kInt8;
  static constexpr std::size_t kColumns = 8, kRows = 8, kRegisters = 24;
  OCTAVO_INLINE static Acc zero() { return _mm512_setzero_si512(); }
  OCTAVO_INLINE static B load_b(const std::byte* p) {
    return _mm512_cvtepi8_epi16(_mm256_load_si256(reinterpret_cast<const __m256i*>(p)));
  }
  OCTAVO_INLINE static A broadcast_a(const std::byte* p) {
    return _mm512_broadcastq_epi64(_mm_cvtepu8_epi16(_mm_cvtsi32_si128(load_quad(p))));
  }
  OCTAVO_INLINE static Acc dot(Acc acc, A a, B b) {
    return _mm512_add_epi32(acc, _mm512_madd_epi16(a, b));
  }
  OCTAVO_INLINE static void store_sums(const Acc* acc, Sum* out) {
    const __m512i even =
        _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    const __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
    _mm512_store_si512(out, _mm512_add_epi32(_mm512_permutex2var_epi32(acc[0], even, acc[1]),
                                             _mm512_permutex2var_epi32(acc[0], odd, acc[1])));
  }
};

struct Wide512 {
  using Register = __m512i;
  static constexpr std::size_t kRows = 12, kLanes = 32;
  OCTAVO_INLINE static Register zero() { return _mm512_setzero_si512(); }
  OCTAVO_INLINE static Register load(const std::int16_t* p) { return _mm512_load_si512(p); }
  OCTAVO_INLINE static void store(std::int16_t* p, Register x) { _mm512_store_si512(p, x); }
  OCTAVO_INLINE static Register broadcast(std::int64_t four) { return _mm512_set1_epi64(four); }
  OCTAVO_INLINE static Register dot(Register acc, Register a, Register b) {
    return _mm512_add_epi32(acc, _mm512_madd_epi16(a, b));
  }
  OCTAVO_INLINE static Register widen_signed(const std::byte* p) { return DotMadd::load_b(p); }
  OCTAVO_INLINE static Register widen_unsigned(const std::byte* p) {
    return _mm512_cvtepu8_epi16(_mm256_load_si256(reinterpret_cast<const __m256i*>(p)));
  }
  OCTAVO_INLINE static void store_sums(Register low, Register high, std::int32_t* to, bool more) {
    alignas(64) std::int32_t sums[kTileRows];
    const Register both[2] = {low, high};
    DotMadd::store_sums(both, sums);
    __m512i x = _mm512_load_si512(sums);
    if (more) x = _mm512_add_epi32(x, _mm512_load_si512(to));
    _mm512_store_si512(to, x);
  }
};

struct Pair {
  __m512 low, high;
};

OCTAVO_INLINE Pair widen(__m512i pairs) {
  return {_mm512_castsi512_ps(_mm512_slli_epi32(pairs, 16)),
          _mm512_castsi512_ps(_mm512_and_si512(pairs, _mm512_set1_epi32(-65536)))};
}

struct DotWiden : DotAvx512Float {
  using A = Pair;
  using B = Pair;
  static constexpr std::size_t kRows = 8, kRegisters = 16;
  OCTAVO_INLINE static B load_b(const std::byte* p) { return widen(_mm512_load_si512(p)); }
  OCTAVO_INLINE static A broadcast_a(const std::byte* p) {
    return widen(_mm512_set1_epi32(load_quad(p)));
  }
  OCTAVO_INLINE static Acc dot(Acc acc, A a, B b) {
    return _mm512_fmadd_ps(a.high, b.high, _mm512_fmadd_ps(a.low, b.low, acc));
  }
};

}  // namespace
}  // namespace octavo::kernels

namespace octavo::kernels::avx512_int8 {
void gemm_run(const GemmArgs& args, std::size_t first_row, std::size_t last_row,
              std::size_t first_group, std::size_t last_group) noexcept {
  gemm_wide<Wide512, DotMadd>(args, first_row, last_row, first_group, last_group);
}
}  // namespace octavo::kernels::avx512_int8
OCTAVO_DEFINE_GEMM(avx512_bf16e, DotWiden)
OCTAVO_DEFINE_GEMM_HALF(avx512_fp16)
#endif
