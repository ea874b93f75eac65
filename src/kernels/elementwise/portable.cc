// The elementwise kernel for any architecture.
#include "kernels/simd/portable.h"
//
#include "kernels/elementwise/elementwise.inl.h"

OCTAVO_DEFINE_ELEMENTWISE(portable)
