// Packed products with plain AVX-512: int8 by pairs, few rows of it widened to int16; bfloat16 and
// half widened to float32.
#if defined(__x86_64__)
#include "kernels/simd/avx512.h"
//
#include "kernels/gemm/dot_avx512.inl.h"
#include "kernels/gemm/gemm.inl.h"
#include "kernels/gemm/half.inl.h"
#include "kernels/gemm/pairs.inl.h"

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

struct Pairs512 {
  using Register = __m512i;
  static constexpr std::size_t kRows = 12, kAccs = 2, kBytes = 64;
  OCTAVO_INLINE static Register zero() { return _mm512_setzero_si512(); }
  OCTAVO_INLINE static Register load(const std::byte* p) { return _mm512_loadu_si512(p); }
  OCTAVO_INLINE static void store(std::byte* p, Register x) { _mm512_storeu_si512(p, x); }
  OCTAVO_INLINE static Register broadcast(std::int32_t quad) { return _mm512_set1_epi32(quad); }
  OCTAVO_INLINE static Register add(Register a, Register b) { return _mm512_add_epi32(a, b); }
  OCTAVO_INLINE static Register sub(Register a, Register b) { return _mm512_sub_epi32(a, b); }
  OCTAVO_INLINE static Register flip(Register x) {
    return _mm512_xor_si512(x, _mm512_set1_epi8(-128));
  }
  // In assembly: compilers move some of many sums to memory.
  OCTAVO_INLINE static Register dot(Register acc, Register u, Register q) {
    Register pairs;
    asm("vpmaddubsw %[q], %[u], %[pairs]\n"
        "vpmaddwd %[ones], %[pairs], %[pairs]\n"
        "vpaddd %[pairs], %[acc], %[acc]"
        : [acc] "+v"(acc), [pairs] "=&v"(pairs)
        : [u] "v"(u), [q] "v"(q), [ones] "v"(_mm512_set1_epi16(1)));
    return acc;
  }
  OCTAVO_INLINE static Register sum(Register acc, Register q) {
    return dot(acc, _mm512_set1_epi8(1), q);
  }
  OCTAVO_INLINE static Register cut(Register q, Register& rest) {
    const Register pairs = _mm512_maddubs_epi16(_mm512_set1_epi8(1), q);
    const Register most = _mm512_set1_epi16(128), least = _mm512_set1_epi16(-128);
    const Register over =
        _mm512_sub_epi16(pairs, _mm512_max_epi16(_mm512_min_epi16(pairs, most), least));
    rest = _mm512_slli_epi16(over, 8);
    return _mm512_sub_epi8(q, rest);
  }
  OCTAVO_INLINE static std::uint32_t quads_of(Register rest) {
    return _mm512_test_epi32_mask(rest, rest);
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
  gemm_pairs<Pairs512, DotMadd>(args, first_row, last_row, first_group, last_group);
}
}  // namespace octavo::kernels::avx512_int8
OCTAVO_DEFINE_GEMM(avx512_bf16e, DotWiden)
OCTAVO_DEFINE_GEMM_HALF(avx512_fp16)
#endif
