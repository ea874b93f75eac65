// The attention kernel for AVX2.
#if defined(__x86_64__)
#include "kernels/simd/avx2.h"
//
#include "kernels/attention/attention.inl.h"

OCTAVO_DEFINE_ATTENTION(avx2)
#endif
