// int8 products with AVX-512 VNNI.
#if defined(__x86_64__)
#include "kernels/simd/avx512.h"
//
#include "kernels/gemm/dot_avx512.inl.h"
#include "kernels/gemm/gemm.inl.h"

namespace octavo::kernels {
namespace {

struct DotVnni : DotAvx512Int {
  OCTAVO_INLINE static __m512i dot(__m512i acc, __m512i a, __m512i b) {
    return _mm512_dpbusd_epi32(acc, a, b);
  }
};

}  // namespace
}  // namespace octavo::kernels

OCTAVO_DEFINE_GEMM(avx512_vnni_int8, DotVnni)
#endif
