// The peak loop for AVX-512 VNNI.
#if defined(__x86_64__)
#include <immintrin.h>

#include <cstddef>

#include "kernels/peaks/chains.inl.h"

namespace octavo::kernels::avx512_vnni {

void peak_int8(std::size_t steps) noexcept;

#define OCTAVO_ZERO(r) "vpxord %%zmm" #r ", %%zmm" #r ", %%zmm" #r "\n"
#define OCTAVO_STEP(r) "vpdpbusd %2, %1, %%zmm" #r "\n"
void peak_int8(std::size_t steps) noexcept {
  const __m512i a = _mm512_set1_epi8(1);
  const __m512i b = _mm512_set1_epi8(3);
  OCTAVO_PEAK_CHAINS(OCTAVO_ZERO, OCTAVO_STEP, steps, a, b);
}

}  // namespace octavo::kernels::avx512_vnni
#endif
