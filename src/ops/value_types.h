// Element types of the values of a graph, as far as the operators say.
#pragma once

#include <optional>
#include <vector>

#include "ir/graph.h"

namespace octavo::ops {

/// By ValueId: the declared type, else what the operator makes of its inputs' types; nothing where
/// that is unknown.
std::vector<std::optional<DType>> value_types(const ir::Graph& graph);

}  // namespace octavo::ops
