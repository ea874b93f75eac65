// Softmax for AVX2.
#if defined(__x86_64__)
#include "kernels/simd/avx2.h"
//
#include "kernels/softmax/softmax.inl.h"

OCTAVO_DEFINE_SOFTMAX(avx2)
#endif
