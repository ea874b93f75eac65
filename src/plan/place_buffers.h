// Where the buffers of a plan lie in the arena and in the block arenas.
#pragma once

#include <memory>
#include <vector>

#include "plan/plan.h"
#include "plan/step.h"

namespace octavo::plan {

struct Placement {
  std::vector<BufferPlace> places;               // by buffer
  std::size_t arena_width = 0, block_width = 0;  // floats a row
};

/// `widths`: floats a row, by buffer. A buffer that one row group alone touches, and that is no
/// output, becomes local to its blocks.
Placement place_buffers(const std::vector<std::unique_ptr<Step>>& steps,
                        const std::vector<PlanOutput>& outputs,
                        const std::vector<std::size_t>& widths);

}  // namespace octavo::plan
