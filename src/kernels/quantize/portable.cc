// Row quantisation for any architecture.
#include "kernels/simd/portable.h"
//
#include "kernels/quantize/quantize.inl.h"

OCTAVO_DEFINE_QUANTIZE(portable)
