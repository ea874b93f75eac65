// Softmax for any architecture.
#include "kernels/simd/portable.h"
//
#include "kernels/softmax/softmax.inl.h"

OCTAVO_DEFINE_SOFTMAX(portable)
