// Attention of a graph that runs node by node, by the kernel of the plan.
#pragma once

#include <vector>

#include "base/cpu.h"
#include "base/thread_pool.h"
#include "ops/op.h"

namespace octavo::runtime {

/// Fills `outputs` for a fused Attend (fuse.h) of float32 whose queries and keys are of the same
/// tokens and whose mask hides nothing; false for any other.
bool attend(const ops::OpCall& call, IsaMask isa, ThreadPool& pool, std::vector<Tensor>& outputs);

}  // namespace octavo::runtime
