// int8 products with AVX-VNNI.
#if defined(__x86_64__)
#include "kernels/simd/avx2.h"
//
#include "kernels/gemm/dot_avx_vnni.inl.h"
#include "kernels/gemm/gemm.inl.h"

OCTAVO_DEFINE_GEMM(avx_vnni_int8, DotAvxVnni)
#endif
