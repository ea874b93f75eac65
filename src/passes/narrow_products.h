// Products of dequantised operands as products of their bytes, for graphs that are run as their
// files say.
#pragma once

#include <cstddef>

#include "ir/graph.h"

namespace octavo::passes {

/// MatMul(DequantizeLinear(a), DequantizeLinear(w)), where a has bytes of one scale and w is a
/// constant matrix of bytes with one scale or one a column, becomes
/// com.microsoft.MatMulIntegerToFloat(a, w): the same numbers with exact sums. Returns how many
/// did. Comes before constants are folded.
std::size_t narrow_products(ir::Graph& graph);

}  // namespace octavo::passes
