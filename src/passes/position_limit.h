// How many tokens a sequence may have for a graph that nothing rewrites: what the plan of a lifted
// graph knows by itself.
#pragma once

#include <cstddef>
#include <optional>

#include "ir/graph.h"

namespace octavo::passes {

/// The rows, from the first position on, of the shortest table that `graph` reads by positions;
/// nothing where no table is, as far as probing finds. The graph's constants are shared with the
/// copy that is probed, not copied.
std::optional<std::size_t> position_limit(ir::Graph graph);

}  // namespace octavo::passes
