// The shape of an Einsum's result, for those who must know it before it is computed.
#pragma once

#include "ops/op.h"

namespace octavo::ops {

/// Error(kInvalidFile) for an equation that cannot be read or does not fit its inputs.
Shape einsum_shape(const OpCall& call);

}  // namespace octavo::ops
