// Packed products with AVX2: int8 by pairs, few rows of it widened to int16; bfloat16 and half
// widened to float32.
#if defined(__x86_64__)
#include "kernels/simd/avx2.h"
//
#include "kernels/gemm/dot_avx2.inl.h"
#include "kernels/gemm/gemm.inl.h"
#include "kernels/gemm/half.inl.h"
#include "kernels/gemm/pairs.inl.h"

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

alignas(32) constexpr std::int16_t kOnes[16] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};

struct Pairs256 {
  using Register = __m256i;
  static constexpr std::size_t kRows = 6, kAccs = 2, kBytes = 32;
  OCTAVO_INLINE static Register zero() { return _mm256_setzero_si256(); }
  OCTAVO_INLINE static Register load(const std::byte* p) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  }
  OCTAVO_INLINE static void store(std::byte* p, Register x) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), x);
  }
  OCTAVO_INLINE static Register broadcast(std::int32_t quad) { return _mm256_set1_epi32(quad); }
  OCTAVO_INLINE static Register add(Register a, Register b) { return _mm256_add_epi32(a, b); }
  OCTAVO_INLINE static Register sub(Register a, Register b) { return _mm256_sub_epi32(a, b); }
  OCTAVO_INLINE static Register flip(Register x) {
    return _mm256_xor_si256(x, _mm256_set1_epi8(-128));
  }
  // In assembly: twelve sums fill the registers, and compilers move some of them to memory.
  OCTAVO_INLINE static Register dot(Register acc, Register u, Register q) {
    Register pairs;
    asm("vpmaddubsw %[q], %[u], %[pairs]\n"
        "vpmaddwd %[ones], %[pairs], %[pairs]\n"
        "vpaddd %[pairs], %[acc], %[acc]"
        : [acc] "+x"(acc), [pairs] "=&x"(pairs)
        : [u] "x"(u), [q] "x"(q), [ones] "m"(kOnes));
    return acc;
  }
  OCTAVO_INLINE static Register sum(Register acc, Register q) {
    return dot(acc, _mm256_set1_epi8(1), q);
  }
  OCTAVO_INLINE static Register cut(Register q, Register& rest) {
    const Register pairs = _mm256_maddubs_epi16(_mm256_set1_epi8(1), q);
    const Register most = _mm256_set1_epi16(128), least = _mm256_set1_epi16(-128);
    const Register over =
        _mm256_sub_epi16(pairs, _mm256_max_epi16(_mm256_min_epi16(pairs, most), least));
    rest = _mm256_slli_epi16(over, 8);
    return _mm256_sub_epi8(q, rest);
  }
  OCTAVO_INLINE static std::uint32_t quads_of(Register rest) {
    const __m256i none = _mm256_cmpeq_epi32(rest, _mm256_setzero_si256());
    return ~static_cast<std::uint32_t>(_mm256_movemask_ps(_mm256_castsi256_ps(none))) & 0xff;
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
  gemm_pairs<Pairs256, DotMadd>(args, first_row, last_row, first_group, last_group);
}
}  // namespace octavo::kernels::avx2_int8
OCTAVO_DEFINE_GEMM(avx2_bf16, DotWiden)
OCTAVO_DEFINE_GEMM_HALF(avx2_fp16)
#endif
