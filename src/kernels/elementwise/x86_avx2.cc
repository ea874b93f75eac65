// The elementwise kernel for AVX2.
#if defined(__x86_64__)
#include "kernels/simd/avx2.h"
//
#include "kernels/elementwise/elementwise.inl.h"

OCTAVO_DEFINE_ELEMENTWISE(avx2)
#endif
