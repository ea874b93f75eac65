// The norm kernel for AVX2.
#if defined(__x86_64__)
#include "kernels/simd/avx2.h"
//
#include "kernels/norm/norm.inl.h"

OCTAVO_DEFINE_NORM(avx2)
#endif
