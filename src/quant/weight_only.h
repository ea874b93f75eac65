// Weights alone as integers of 8 or 4 bits, in blocks along the inner dimension; activations stay
// float.
#pragma once

#include "quant/rewriter.h"

namespace octavo::quant {

/// Blocks of a matrix [K, N] in the layout of com.microsoft.MatMulNBits.
struct Blocks {
  Tensor values;  // uint8 [N, ceil(K / block), block * bits / 8], low nibble first
  Tensor scales;  // float32 [N, ceil(K / block)]
  Tensor zeros;   // uint8 [N, ceil(blocks * bits / 8)]; none where symmetric
};

/// Symmetric: scale = -(the element of largest magnitude, with its sign) / 2^(bits - 1), zero point
/// 2^(bits - 1). Asymmetric: the range of each block, zero included, over 0 .. 2^bits - 1.
Blocks make_blocks(const Tensor& matrix, int bits, std::size_t block, bool symmetric);

/// MatMulNBits, or (QDQ) MatMul with weights from a DequantizeLinear with blocks.
void weight_only_product(Rewriter& rewriter, const ir::Node& node);

}  // namespace octavo::quant
