// Affine quantisation for AVX-512.
#if defined(__x86_64__)
#include "kernels/simd/avx512.h"
//
#include "kernels/affine/affine.inl.h"

OCTAVO_DEFINE_AFFINE(avx512)
#endif
