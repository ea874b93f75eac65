// The choice among the rows of a kernels.inc: a pure function of the instruction sets.
#pragma once

#include <span>

#include "base/cpu.h"

namespace octavo::kernels {

/// The last of `rows` (weakest first) that `isa` allows; the first one needs nothing.
template <class Kernel>
const Kernel& strongest(std::span<const Kernel> rows, IsaMask isa) {
  const Kernel* best = &rows.front();
  for (const Kernel& row : rows) {
    if ((row.isa & isa) == row.isa) best = &row;
  }
  return *best;
}

}  // namespace octavo::kernels
