// The matmul kernel for AVX-512.
#if defined(__x86_64__)
#include "kernels/simd/avx512.h"
//
#include "kernels/matmul/matmul.inl.h"

OCTAVO_DEFINE_MATMUL(avx512)
#endif
