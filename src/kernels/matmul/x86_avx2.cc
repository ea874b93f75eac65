// The matmul kernel for AVX2.
#if defined(__x86_64__)
#include "kernels/simd/avx2.h"
//
#include "kernels/matmul/matmul.inl.h"

OCTAVO_DEFINE_MATMUL(avx2)
#endif
