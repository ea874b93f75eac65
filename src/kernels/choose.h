// The choice among the rows of a kernels.inc: a pure function of the instruction sets.
#pragma once

#include <algorithm>
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

/// The rows of one type; those of a type stand together.
template <class Kernel, class Type>
std::span<const Kernel> rows_of_type(std::span<const Kernel> rows, Type type) {
  const auto is_type = [type](const Kernel& row) { return row.type == type; };
  const auto first = std::find_if(rows.begin(), rows.end(), is_type);
  return {first, std::find_if_not(first, rows.end(), is_type)};
}

}  // namespace octavo::kernels
