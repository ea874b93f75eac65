// bfloat16 products with AVX-512 BF16.
#if defined(__x86_64__)
#include "kernels/simd/avx512.h"
//
#include "kernels/gemm/dot_avx512.inl.h"
#include "kernels/gemm/gemm.inl.h"

namespace octavo::kernels {
namespace {

struct DotBf16 : DotAvx512Float {
  using A = __m512i;
  using B = __m512i;
  OCTAVO_INLINE static B load_b(const std::byte* p) { return _mm512_load_si512(p); }
  OCTAVO_INLINE static A broadcast_a(const std::byte* p) { return _mm512_set1_epi32(load_quad(p)); }
  OCTAVO_INLINE static Acc dot(Acc acc, A a, B b) {
    return _mm512_dpbf16_ps(acc, (__m512bh)a, (__m512bh)b);
  }
};

}  // namespace
}  // namespace octavo::kernels

OCTAVO_DEFINE_GEMM(avx512_bf16, DotBf16)
#endif
