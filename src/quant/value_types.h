// Element types of a graph's values, from its inputs, constants and operators.
#pragma once

#include <optional>
#include <vector>

#include "ir/graph.h"

namespace octavo::quant {

/// By ValueId; nothing for values that no alive node reads or makes.
std::vector<std::optional<DType>> value_types(const ir::Graph& graph);

}  // namespace octavo::quant
