// Weights in blocks of few bits, as float32 matrices: for the references that read them and for the
// passes that replace them.
#pragma once

#include "ops/contrib.h"

namespace octavo::ops {

/// The [K, N] matrix of a MatMulNBits call.
Tensor nbits_weight(const OpCall& call);
/// The [K, N] matrix of a MatMulBnb4 call.
Tensor bnb4_weight(const OpCall& call);
/// The table of a GatherBlockQuantized call.
Tensor block_table(const OpCall& call);

}  // namespace octavo::ops
