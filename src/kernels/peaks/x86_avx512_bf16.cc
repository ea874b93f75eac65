// The peak loop for AVX-512 BF16.
#if defined(__x86_64__)
#include <immintrin.h>

#include <cstddef>

#include "kernels/peaks/chains.inl.h"

namespace octavo::kernels::avx512_bf16 {

void peak_bf16(std::size_t steps) noexcept;

#define OCTAVO_ZERO(r) "vpxord %%zmm" #r ", %%zmm" #r ", %%zmm" #r "\n"
#define OCTAVO_STEP(r) "vdpbf16ps %2, %1, %%zmm" #r "\n"
void peak_bf16(std::size_t steps) noexcept {
  const __m512i a = _mm512_set1_epi16(0x3f00);  // 0.5
  const __m512i b = _mm512_set1_epi16(0x3e80);  // 0.25
  OCTAVO_PEAK_CHAINS(OCTAVO_ZERO, OCTAVO_STEP, steps, a, b);
}

}  // namespace octavo::kernels::avx512_bf16
#endif
