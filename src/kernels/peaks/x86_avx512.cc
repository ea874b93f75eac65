// Peak loops for AVX-512 without VNNI.
#if defined(__x86_64__)
#include <immintrin.h>

#include <cstddef>

#include "kernels/peaks/chains.inl.h"

namespace octavo::kernels::avx512 {

void peak_fp32(std::size_t steps) noexcept;
void peak_int8(std::size_t steps) noexcept;

#define OCTAVO_ZERO(r) "vpxord %%zmm" #r ", %%zmm" #r ", %%zmm" #r "\n"
#define OCTAVO_STEP(r) "vfmadd231ps %2, %1, %%zmm" #r "\n"
void peak_fp32(std::size_t steps) noexcept {
  const __m512 a = _mm512_set1_ps(0.5f);
  const __m512 b = _mm512_set1_ps(0.25f);
  OCTAVO_PEAK_CHAINS(OCTAVO_ZERO, OCTAVO_STEP, steps, a, b);
}

#undef OCTAVO_STEP

// Bytes multiplied and summed by twos, then by fours, then added up.
#define OCTAVO_STEP(r)            \
  "vpmaddubsw %2, %1, %%zmm3\n"   \
  "vpmaddwd %1, %%zmm3, %%zmm3\n" \
  "vpaddd %%zmm3, %%zmm" #r ", %%zmm" #r "\n"
void peak_int8(std::size_t steps) noexcept {
  const __m512i a = _mm512_set1_epi16(1);
  const __m512i b = _mm512_set1_epi8(3);
  OCTAVO_PEAK_CHAINS(OCTAVO_ZERO, OCTAVO_STEP, steps, a, b);
}

}  // namespace octavo::kernels::avx512
#endif
