// The attention kernel for any architecture.
#include "kernels/simd/portable.h"
//
#include "kernels/attention/attention.inl.h"

OCTAVO_DEFINE_ATTENTION(portable)
