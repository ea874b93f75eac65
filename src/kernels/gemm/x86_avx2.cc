// Packed products with AVX2: int8 widened to int16 (vpmaddubsw would saturate), bfloat16 and half
// widened to float32.
#if defined(__x86_64__)
#include "kernels/simd/avx2.h"
//
#include "kernels/gemm/dot_avx2.inl.h"
#include "kernels/gemm/gemm.inl.h"
#include "kernels/gemm/half.inl.h"
#include "kernels/gemm/wide.inl.h"

namespace octavo::kernels {
namespace {

// A register holds the four int16 products of four columns, as two int32 sums a column.
struct DotMadd {
  using Sum = std::int32_t;
  using Acc = __m256i;
  using A = __m256i;
  using B = __m256i;
  static constexpr GemmType kType = GemmType::kInt8;
  static constexpr std::size_t kColumns = 4, kRows = 3, kRegisters = 12;
  OCTAVO_INLINE static Acc zero() { return _mm256_setzero_si256(); }
  OCTAVO_INLINE static B load_b(const std::byte* p) {
    return _mm256_cvtepi8_epi16(_mm_load_si128(reinterpret_cast<const __m128i*>(p)));
  }
  OCTAVO_INLINE static A broadcast_a(const std::byte* p) {
    return _mm256_broadcastq_epi64(_mm_cvtepu8_epi16(_mm_cvtsi32_si128(load_quad(p))));
  }
  OCTAVO_INLINE static Acc dot(Acc acc, A a, B b) {
    return _mm256_add_epi32(acc, _mm256_madd_epi16(a, b));
  }
  OCTAVO_INLINE static void store_sums(const Acc* acc, Sum* out) {
    for (int half = 0; half < 2; ++half) {
      const __m256i sums = _mm256_hadd_epi32(acc[2 * half], acc[2 * half + 1]);
      _mm256_store_si256(reinterpret_cast<__m256i*>(out + 8 * half),
                         _mm256_permute4x64_epi64(sums, 0xd8));
    }
  }
};

struct Wide256 {
  using Register = __m256i;
  static constexpr std::size_t kRows = 6, kLanes = 16;
  OCTAVO_INLINE static Register zero() { return _mm256_setzero_si256(); }
  OCTAVO_INLINE static Register load(const std::int16_t* p) {
    return _mm256_load_si256(reinterpret_cast<const __m256i*>(p));
  }
  OCTAVO_INLINE static void store(std::int16_t* p, Register x) {
    _mm256_store_si256(reinterpret_cast<__m256i*>(p), x);
  }
  OCTAVO_INLINE static Register broadcast(std::int64_t four) { return _mm256_set1_epi64x(four); }
  OCTAVO_INLINE static Register dot(Register acc, Register a, Register b) {
    return _mm256_add_epi32(acc, _mm256_madd_epi16(a, b));
  }
  OCTAVO_INLINE static Register widen_signed(const std::byte* p) {
    return _mm256_cvtepi8_epi16(_mm_load_si128(reinterpret_cast<const __m128i*>(p)));
  }
  OCTAVO_INLINE static Register widen_unsigned(const std::byte* p) {
    return _mm256_cvtepu8_epi16(_mm_load_si128(reinterpret_cast<const __m128i*>(p)));
  }
  OCTAVO_INLINE static void store_sums(Register low, Register high, std::int32_t* to, bool more) {
    auto* at = reinterpret_cast<__m256i*>(to);
    __m256i sums = _mm256_permute4x64_epi64(_mm256_hadd_epi32(low, high), 0xd8);
    if (more) sums = _mm256_add_epi32(sums, _mm256_load_si256(at));
    _mm256_store_si256(at, sums);
  }
};

struct Pair {
  __m256 low, high;
};

OCTAVO_INLINE Pair widen(__m256i pairs) {
  return {_mm256_castsi256_ps(_mm256_slli_epi32(pairs, 16)),
          _mm256_castsi256_ps(_mm256_and_si256(pairs, _mm256_set1_epi32(-65536)))};
}

struct DotWiden {
  using Sum = float;
  using Acc = __m256;
  using A = Pair;
  using B = Pair;
  static constexpr GemmType kType = GemmType::kBf16;
  static constexpr std::size_t kColumns = 8, kRows = 4, kRegisters = 8;
  OCTAVO_INLINE static Acc zero() { return _mm256_setzero_ps(); }
  OCTAVO_INLINE static B load_b(const std::byte* p) { return widen(load_256(p)); }
  OCTAVO_INLINE static A broadcast_a(const std::byte* p) {
    return widen(_mm256_set1_epi32(load_quad(p)));
  }
  OCTAVO_INLINE static Acc dot(Acc acc, A a, B b) {
    return _mm256_fmadd_ps(a.high, b.high, _mm256_fmadd_ps(a.low, b.low, acc));
  }
  OCTAVO_INLINE static void store_sums(const Acc* acc, Sum* out) {
    _mm256_store_ps(out, acc[0]);
    _mm256_store_ps(out + 8, acc[1]);
  }
};

}  // namespace
}  // namespace octavo::kernels

namespace octavo::kernels::avx2_int8 {
void gemm_run(const GemmArgs& args, std::size_t first_row, std::size_t last_row,
              std::size_t first_group, std::size_t last_group) noexcept {
  gemm_wide<Wide256, DotMadd>(args, first_row, last_row, first_group, last_group);
}
}  // namespace octavo::kernels::avx2_int8
OCTAVO_DEFINE_GEMM(avx2_bf16, DotWiden)
OCTAVO_DEFINE_GEMM_HALF(avx2_fp16)
#endif
