// Affine quantisation for AVX2.
#if defined(__x86_64__)
#include "kernels/simd/avx2.h"
//
#include "kernels/affine/affine.inl.h"

OCTAVO_DEFINE_AFFINE(avx2)
#endif
