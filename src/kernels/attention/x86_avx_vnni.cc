// The int8 attention for AVX-VNNI.
#if defined(__x86_64__)
#include "kernels/simd/avx2.h"
//
#include "kernels/gemm/dot_avx_vnni.inl.h"
//
#include "kernels/attention/attention_int8.inl.h"

OCTAVO_DEFINE_ATTENTION_INT8(avx_vnni_int8, VectorProducts<DotAvxVnni>)
#endif
