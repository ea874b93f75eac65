// A quantised graph as a float one with the same numbers: what is measured instead of it, at the
// speed of float products.
#pragma once

#include "ir/graph.h"

namespace octavo::quant {

/// DequantizeLinear of constants becomes constants; QuantizeLinear and DequantizeLinear with one
/// scale become ai.octavo.FakeQuantize, which the packed plan has. What is left of other forms
/// keeps its nodes. Integer products and this differ by the rounding of float sums alone.
void simulate(ir::Graph& graph);

}  // namespace octavo::quant
