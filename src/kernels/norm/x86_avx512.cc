// The norm kernel for AVX-512.
#if defined(__x86_64__)
#include "kernels/simd/avx512.h"
//
#include "kernels/norm/norm.inl.h"

OCTAVO_DEFINE_NORM(avx512)
#endif
