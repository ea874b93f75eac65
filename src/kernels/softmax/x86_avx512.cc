// Softmax for AVX-512.
#if defined(__x86_64__)
#include "kernels/simd/avx512.h"
//
#include "kernels/softmax/softmax.inl.h"

OCTAVO_DEFINE_SOFTMAX(avx512)
#endif
