// Products of two float32 activations (scores and their sums in attention) with the fast kernel.
#pragma once

#include <vector>

#include "base/thread_pool.h"
#include "kernels/matmul/matmul.h"
#include "ops/op.h"

namespace octavo::runtime {

/// Fills `outputs` for a MatMul of float32 stacks [..., m, k] and [..., k, n] with the same leading
/// dimensions, one matrix of the stack a thread at a time; false for any other call.
bool multiply_stacks(const ops::OpCall& call, const kernels::MatmulKernel& kernel, ThreadPool& pool,
                     std::vector<Tensor>& outputs);

/// A [..., k] times a constant B [k, n], both float32, into out [..., n], with the bits that a
/// packed B gives. A thread packs one panel of B at a time; then B's memory may go
/// (Tensor::release).
void multiply_streamed(const Tensor& a, const Tensor& b, const kernels::MatmulKernel& kernel,
                       ThreadPool& pool, Tensor& out);

}  // namespace octavo::runtime
