// The attention kernel for AVX-512.
#if defined(__x86_64__)
#include "kernels/simd/avx512.h"
//
#include "kernels/attention/attention.inl.h"

OCTAVO_DEFINE_ATTENTION(avx512)
#endif
