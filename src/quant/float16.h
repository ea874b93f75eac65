// Graphs in float16 or bfloat16.
#pragma once

#include <vector>

#include "ir/graph.h"
#include "octavo/quantize.h"

namespace octavo::quant {

/// float16: constants and arithmetic; operators and nodes that the options keep in float32 have
/// Casts around them, where a neighbour is not kept too. Constants beyond the range are clamped:
/// magnitudes above 65504 to it, below 5.96e-8 (and not zero) to that.
///
/// bfloat16: weights are stored so and widened where they are read; arithmetic stays float32.
/// Error(kInvalidArgument) for an exclusion that matches nothing and where nothing is converted.
/// Error(kUnsupported) for weights that are not finite, as the other quantisers have it; masks may
/// hold infinities. `clamped` counts what was beyond 65504, single numbers (limits, the least score
/// of a mask) apart.
std::vector<QuantizedNode> convert_to_half(ir::Graph& graph, const QuantizeOptions& options,
                                           ClampedWeights& clamped);

}  // namespace octavo::quant
