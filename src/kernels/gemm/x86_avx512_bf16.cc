// bfloat16 products with AVX-512 BF16.
#if defined(__x86_64__)
#include "kernels/simd/avx512.h"
//
#include "kernels/gemm/dot_avx512_bf16.inl.h"
#include "kernels/gemm/gemm.inl.h"

OCTAVO_DEFINE_GEMM(avx512_bf16, DotBf16)
#endif
