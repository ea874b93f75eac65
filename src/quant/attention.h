// com.microsoft.Attention, whose weights are those of the query, key and value projections.
#pragma once

#include "quant/activations.h"

namespace octavo::quant {

/// Takes the projection out of every Attention that is a product followed by attention: MatMul,
/// Split and MultiHeadAttention, which has the bias, unless QAttention can stand for it as the
/// options want it. Others stay.
void split_attention(ir::Graph& graph, const QuantizeOptions& options);

/// QAttention, where onnxruntime's kernel takes the node.
void quantize_attention(Rewriter& rewriter, Activations& activations, const ir::Node& node);

}  // namespace octavo::quant
