// What the attention operators of onnxruntime and the standard domain add to the scores, built in
// the graph for the sequence at hand.
#pragma once

#include "ir/graph.h"

namespace octavo::passes {

/// 0, 1 .. sequence - 1 (int64 [sequence]) of ids [batch, sequence].
ir::ValueId emit_positions(ir::Graph& graph, ir::ValueId ids, const std::string& name);

/// float32 [1, 1, sequence, sequence]: 0 where |i - j| <= window, the lowest float elsewhere.
ir::ValueId emit_window_bias(ir::Graph& graph, ir::ValueId ids, std::int64_t window,
                             const std::string& name);

/// float32 [1, heads, sequence, sequence]: bias[n, R + clamp(j - i, -R, R)] of bias [heads, 2R +
/// 1].
ir::ValueId emit_relative_bias(ir::Graph& graph, ir::ValueId ids, const Tensor& bias,
                               const std::string& name);

struct RotaryTables {
  ir::ValueId cos = ir::kNoValue, sin = ir::kNoValue;  // float32 [sequence, D / 2]
};
/// The tables of positions 0, 1 .. for inverse frequencies [D / 2].
RotaryTables emit_rotary_tables(ir::Graph& graph, ir::ValueId ids, ir::ValueId inv_freq,
                                const std::string& name);

}  // namespace octavo::passes
