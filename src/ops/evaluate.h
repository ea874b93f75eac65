// Runs a graph, or the part of it that some values need, with the reference implementations.
#pragma once

#include <functional>
#include <map>
#include <vector>

#include "ops/op.h"

namespace octavo::ops {

/// Feeds by ValueId (graph inputs, or any value that is to be taken as given).
using Feeds = std::map<ir::ValueId, Tensor>;

struct EvaluateOptions {
  /// Called for every node before its reference; returns true when it filled `outputs` itself (a
  /// faster kernel).
  std::function<bool(const OpCall&, std::vector<Tensor>& outputs)> accelerate{};
  /// Sees every value as it is made.
  std::function<void(ir::ValueId, const Tensor&)> observe{};
};

/// Values of `wanted`, in order. Intermediate tensors are freed after their last reader.
/// Error(kUnsupported) for an op that is not in the table, Error(kInvalidFile) with the node's name
/// for inputs an op refuses.
std::vector<Tensor> evaluate(const ir::Graph& graph, const Feeds& feeds,
                             std::span<const ir::ValueId> wanted,
                             const EvaluateOptions& options = {});

}  // namespace octavo::ops
