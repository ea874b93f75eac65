// y = act(x * W + b) + residual from int8, bfloat16 or half tiles.
#pragma once

#include <memory>

#include "kernels/gemm/layout.h"
#include "plan/steps/linear.h"

namespace octavo::plan {

/// `tiles` holds the rows of spec.x, which itself is not read.
std::unique_ptr<Step> make_packed_linear(LinearSpec spec, TileView tiles, kernels::GemmType type,
                                         IsaMask isa, ThreadPool* pool);
std::unique_ptr<Step> load_packed_linear(PlanReader& reader, IsaMask isa);

}  // namespace octavo::plan
