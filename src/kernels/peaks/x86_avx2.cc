// Peak loops for AVX2.
#if defined(__x86_64__)
#include <immintrin.h>

#include <cstddef>

#include "kernels/peaks/chains.inl.h"

namespace octavo::kernels::avx2 {

void peak_fp32(std::size_t steps) noexcept;
void peak_int8(std::size_t steps) noexcept;

#define OCTAVO_ZERO(r) "vpxor %%ymm" #r ", %%ymm" #r ", %%ymm" #r "\n"
#define OCTAVO_STEP(r) "vfmadd231ps %2, %1, %%ymm" #r "\n"
void peak_fp32(std::size_t steps) noexcept {
  const __m256 a = _mm256_set1_ps(0.5f);
  const __m256 b = _mm256_set1_ps(0.25f);
  OCTAVO_PEAK_CHAINS(OCTAVO_ZERO, OCTAVO_STEP, steps, a, b);
}

#undef OCTAVO_STEP

// Bytes multiplied and summed by twos, then by fours, then added up.
#define OCTAVO_STEP(r)            \
  "vpmaddubsw %2, %1, %%ymm3\n"   \
  "vpmaddwd %1, %%ymm3, %%ymm3\n" \
  "vpaddd %%ymm3, %%ymm" #r ", %%ymm" #r "\n"
void peak_int8(std::size_t steps) noexcept {
  const __m256i a = _mm256_set1_epi16(1);
  const __m256i b = _mm256_set1_epi8(3);
  OCTAVO_PEAK_CHAINS(OCTAVO_ZERO, OCTAVO_STEP, steps, a, b);
}

}  // namespace octavo::kernels::avx2
#endif
