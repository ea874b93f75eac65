// A small readable text form of a graph, for `inspect --graph` and for tests of passes.
//
//   graph "name" {
//     input %x: float32[batch, 4]
//     const %w: float32[4, 2] = fill(0.5)
//     %y = MatMul(%x, %w)
//     %z, _ = com.microsoft.Norm(%y, _) {axis=-1, epsilon=1e-05} @"node name"
//     output %z "last_hidden_state"
//   }
//
// Values: %name, or %"any text"; _ for one that is left out. A node without @ is named as its first
// output. Dimensions: numbers, symbols, ? for unknown. Constants: [1, 2, 3], a scalar's one number,
// fill(v), random(seed) (reading only: floats of [-1, 1), integers of 0 to 9), and ... for elements
// that are not shown. Attributes: 1, 1.5, "text", [1, 2], [1.0], ["a"], ints[], floats[],
// strings[], float32[2] = [1, 2]. A floating-point attribute always has a point, an exponent or a
// letter. From # to the end of a line is a comment.
#pragma once

#include <string>
#include <string_view>

#include "ir/graph.h"

namespace octavo::ir {

struct PrintOptions {
  std::size_t max_elements = 16;  // longer constants are shown as fill(v) or ...
};

/// Nodes in topological order; dead nodes and unread constants are left out.
std::string print(const Graph& graph, const PrintOptions& options = {});

/// A verified graph. Throws Error(kInvalidFile) with the line; "..." cannot be read back.
Graph parse(std::string_view text);

}  // namespace octavo::ir
