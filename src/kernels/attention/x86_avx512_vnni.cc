// The int8 attention for AVX-512 VNNI.
#if defined(__x86_64__)
#include "kernels/simd/avx512.h"
//
#include "kernels/gemm/dot_avx512_vnni.inl.h"
//
#include "kernels/attention/attention_int8.inl.h"

OCTAVO_DEFINE_ATTENTION_INT8(avx512_vnni_int8, VectorProducts<DotVnni>)
#endif
