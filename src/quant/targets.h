// Which nodes of a graph a quantiser takes on, and which activations it needs ranges of.
#pragma once

#include <string>
#include <vector>

#include "ir/graph.h"
#include "octavo/quantize.h"
#include "tensor/tensor_store.h"

namespace octavo::quant {

enum class TargetKind : std::uint8_t {
  kProduct,    // MatMul with constant weights
  kAttention,  // com.microsoft.Attention: a product with the weights of query, key and value
  kTable,      // Gather of a constant table by ids
  kEmbedding,  // com.microsoft.EmbedLayerNormalization: tables and a layer norm
};

struct Target {
  TargetKind kind = TargetKind::kProduct;
  ir::NodeId node = ir::kNoNode;
  ir::ValueId weight = ir::kNoValue;      // the constant; of kEmbedding: the word table
  ir::ValueId activation = ir::kNoValue;  // what is multiplied by it; kNoValue for tables
};

struct Targets {
  std::vector<Target> nodes;
  /// Names of the values whose ranges static quantisation needs, each once, in graph order.
  std::vector<std::string> activations;
  /// Nodes that have weights and are left as they are, and why.
  std::vector<QuantizedNode> left;
};

/// Gives every value a name of its own: ranges are found by name. Names that are there and unique
/// stay.
void name_values(ir::Graph& graph);

/// Rewrites what quantisers do not know into what they do, without changing results: Gemm with
/// constant weights becomes MatMul and Add, weights behind Transpose, Reshape, Cast or Identity
/// become constants, and com.microsoft.Attention gives up its projection unless the options have a
/// QAttention for it. What the options exclude stays whole. Calibrate and quantise the graph that
/// it leaves; a second call changes nothing. Weights that are made by it go into `store` where
/// there is one.
void prepare(ir::Graph& graph, const QuantizeOptions& options, const TensorStore* store = nullptr);

/// Error(kUnsupported) for a graph with operators that quantisers make, or with matrices in 16
/// bits.
void refuse_quantised(const ir::Graph& graph);

/// The targets of a prepared and named graph. Error(kUnsupported) for a graph that is quantised
/// already, kInvalidArgument for an exclusion that matches nothing or where nothing is left.
Targets quantizable(const ir::Graph& graph, const QuantizeOptions& options);

}  // namespace octavo::quant
