// Row quantisation for AVX-512.
#if defined(__x86_64__)
#include "kernels/simd/avx512.h"
//
#include "kernels/quantize/quantize.inl.h"

OCTAVO_DEFINE_QUANTIZE(avx512)
#endif
