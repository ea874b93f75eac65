// The int8 attention on the vectors of AVX2 with plain dot products, for
// portable_attention_test.cc: the AVX-VNNI row is this with another dot product.
#if defined(__x86_64__)
#include "kernels/simd/avx2.h"
//
#include "kernels/attention/attention_int8.inl.h"
#include "kernels/attention/plain_dot.inl.h"

OCTAVO_DEFINE_ATTENTION_INT8(avx2_plain_int8, VectorProducts<PlainInt8>)
#endif
