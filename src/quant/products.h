// Products with constant weights, quantised: one function a mode and format. Each gives the value
// that stands for `node`'s output and, where it took in the Add of a bias, whose output it stands
// for instead.
#pragma once

#include "quant/activations.h"

namespace octavo::quant {

/// DynamicQuantizeLinear, MatMulInteger, Cast, Mul: the chain of onnxruntime's quantiser. In graphs
/// with com.microsoft operators MatMulIntegerToFloat, or DynamicQuantizeMatMul for an input that
/// one product reads.
void dynamic_operator(Rewriter& rewriter, Activations& activations, const ir::Node& node,
                      bool microsoft, bool shared_input);
/// DynamicQuantizeLinear, DequantizeLinear, MatMul with dequantised weights.
void dynamic_qdq(Rewriter& rewriter, Activations& activations, const ir::Node& node);
/// QLinearMatMul.
void static_operator(Rewriter& rewriter, Activations& activations, const ir::Node& node);
/// MatMul of rounded activations with dequantised weights.
void static_qdq(Rewriter& rewriter, Activations& activations, const ir::Node& node);
/// MatMulInteger with a scale a token row and a scale an output channel.
void row_product(Rewriter& rewriter, Activations& activations, const ir::Node& node);

}  // namespace octavo::quant
