// The elementwise kernel for AVX-512.
#if defined(__x86_64__)
#include "kernels/simd/avx512.h"
//
#include "kernels/elementwise/elementwise.inl.h"

OCTAVO_DEFINE_ELEMENTWISE(avx512)
#endif
