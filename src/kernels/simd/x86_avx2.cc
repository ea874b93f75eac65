// exp and erf for AVX2.
#if defined(__x86_64__)
#include "kernels/simd/avx2.h"
//
#include "kernels/simd/map.inl.h"

OCTAVO_DEFINE_MATH(avx2)
#endif
