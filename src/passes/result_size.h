// How large the result of a node gets, before it is computed: a few bytes of a file can ask for any
// amount of memory.
#pragma once

#include <span>

#include "ir/graph.h"
#include "tensor/tensor.h"

namespace octavo::passes {

/// An upper estimate of the bytes of a node's results, absent inputs as nullptr. Infinite for the
/// operators that have none.
double result_bytes(const ir::Node& node, std::span<const Tensor* const> inputs);

}  // namespace octavo::passes
