// Nodes that follow each other, joined into what runs at once: attention without stored scores, and
// what happens to every element of a quantised product before the next one. For graphs that run
// node by node; nobody sees the values between.
//
//   Attend(q, k, v, mask?)          Transpose(softmax(factor * q k + mask) v), of operands that are
//                                   [batch, heads, tokens, size], or tokens before heads
//   Product(inputs.., operands..)   the product `product`, then a stage for each letter of
//   `stages`:
//     D scale, zero                 DequantizeLinear
//     A addend                      Add
//     G                             Gelu, of the form `approximate`
//     Q scale, zero                 QuantizeLinear
#pragma once

#include <string_view>

#include "ir/graph.h"

namespace octavo::runtime {

inline constexpr std::string_view kFusedDomain = "ai.octavo.runtime";

/// Which graph outputs what stays; values that only joined nodes read are gone. Results of integer
/// operators keep their bits; attention is in the order of its kernel.
ir::Graph fuse_nodes(ir::Graph graph);

}  // namespace octavo::runtime
