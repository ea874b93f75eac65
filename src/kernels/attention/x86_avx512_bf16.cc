// The bfloat16 attention for AVX-512 BF16.
#if defined(__x86_64__)
#include "kernels/simd/avx512.h"
//
#include "kernels/gemm/dot_avx512_bf16.inl.h"
//
#include "kernels/attention/attention_bf16.inl.h"

OCTAVO_DEFINE_ATTENTION_BF16(avx512_bf16, VectorProducts<DotBf16>)
#endif
