// Row quantisation for AVX2.
#if defined(__x86_64__)
#include "kernels/simd/avx2.h"
//
#include "kernels/quantize/quantize.inl.h"

OCTAVO_DEFINE_QUANTIZE(avx2)
#endif
