// Quantises a graph: the one entry point of the quantisers, and what they report.
#pragma once

#include <vector>

#include "ir/graph.h"
#include "octavo/quantize.h"
#include "quant/ranges.h"
#include "tensor/tensor_store.h"

namespace octavo::quant {

struct QuantizeReport {
  std::vector<QuantizedNode> nodes;  // every node with weights
  std::size_t quantized = 0;         // of them
  ClampedWeights clamped{};          // mode float16
};

/// Rewrites `graph` as the options say; its inputs and outputs keep their names. Static modes need
/// the ranges of all `quantizable(graph, options).activations`.
/// Weights are read one after another and their memory is released, so that with mapped weights and
/// a `store` (as prepare() takes it) there is little more in memory than what is made.
/// Error(kInvalidArgument) for contradicting options, for exclusions that match nothing or leave
/// nothing, and for missing ranges; kUnsupported for a graph that is quantised already.
QuantizeReport quantize(ir::Graph& graph, const QuantizeOptions& options, const Ranges& ranges = {},
                        const TensorStore* store = nullptr);

}  // namespace octavo::quant
