// int8 products with AVX-512 VNNI.
#if defined(__x86_64__)
#include "kernels/simd/avx512.h"
//
#include "kernels/gemm/dot_avx512_vnni.inl.h"
#include "kernels/gemm/gemm.inl.h"

OCTAVO_DEFINE_GEMM(avx512_vnni_int8, DotVnni)
#endif
