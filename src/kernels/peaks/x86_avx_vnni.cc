// The peak loop for AVX-VNNI.
#if defined(__x86_64__)
#include <immintrin.h>

#include <cstddef>

#include "kernels/peaks/chains.inl.h"

namespace octavo::kernels::avx_vnni {

void peak_int8(std::size_t steps) noexcept;

#define OCTAVO_ZERO(r) "vpxor %%ymm" #r ", %%ymm" #r ", %%ymm" #r "\n"
#define OCTAVO_STEP(r) "%{vex%} vpdpbusd %2, %1, %%ymm" #r "\n"
void peak_int8(std::size_t steps) noexcept {
  const __m256i a = _mm256_set1_epi8(1);
  const __m256i b = _mm256_set1_epi8(3);
  OCTAVO_PEAK_CHAINS(OCTAVO_ZERO, OCTAVO_STEP, steps, a, b);
}

}  // namespace octavo::kernels::avx_vnni
#endif
