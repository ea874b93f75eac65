// Operators on rows with the kernels that the plan has for them: what graphs that run node by node
// have in place of the reference loops.
#pragma once

#include <vector>

#include "base/cpu.h"
#include "base/thread_pool.h"
#include "kernels/affine/affine.h"
#include "ops/op.h"

namespace octavo::runtime {

/// Fills `outputs` for Gelu, LayerNormalization and Softmax over the last axis, Add, Sub, Mul and
/// Div of equal shapes or with a number or a row for all rows, QuantizeLinear, DequantizeLinear
/// (one scale, bytes) and DynamicQuantizeLinear, of float32; false for any other call. What rounds
/// or computes with single operations has the bits of the reference.
bool run_rows(const ops::OpCall& call, IsaMask isa, ThreadPool& pool, std::vector<Tensor>& outputs);

/// The three outputs of DynamicQuantizeLinear, the same bits as the reference; false for what is no
/// finite float32.
bool quantize_rows(const Tensor& x, const kernels::AffineKernel& kernel, ThreadPool& pool,
                   std::vector<Tensor>& outputs);

}  // namespace octavo::runtime
