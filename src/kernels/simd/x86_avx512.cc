// exp and erf for AVX-512.
#if defined(__x86_64__)
#include "kernels/simd/avx512.h"
//
#include "kernels/simd/map.inl.h"

OCTAVO_DEFINE_MATH(avx512)
#endif
