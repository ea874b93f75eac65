// The matmul kernel for any architecture.
#include "kernels/simd/portable.h"
//
#include "kernels/matmul/matmul.inl.h"

OCTAVO_DEFINE_MATMUL(portable)
