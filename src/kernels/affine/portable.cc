// Affine quantisation for any architecture.
#include "kernels/simd/portable.h"
//
#include "kernels/affine/affine.inl.h"

OCTAVO_DEFINE_AFFINE(portable)
