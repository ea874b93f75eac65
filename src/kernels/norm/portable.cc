// The norm kernel for any architecture.
#include "kernels/simd/portable.h"
//
#include "kernels/norm/norm.inl.h"

OCTAVO_DEFINE_NORM(portable)
