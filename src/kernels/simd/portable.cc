// exp and erf for any architecture.
#include "kernels/simd/portable.h"
//
#include "kernels/simd/map.inl.h"

OCTAVO_DEFINE_MATH(portable)
