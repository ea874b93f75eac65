// What ai.octavo operators mean, in standard operators: masks, distances, positions and rotary
// tables of a batch whose size is known only when the graph runs. Every operator exists with these
// types from opset 11 on.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>

#include "ir/graph.h"

namespace octavo::passes {

/// Emits each subgraph once: whoever asks for the same again gets the same value. `tokens` is any
/// value [batch, sequence, ...]; `mask` is [batch, sequence] of integers, 1 for kept tokens and 0
/// for padding, or kNoValue where all are kept.
class TokenSubgraphs {
 public:
  explicit TokenSubgraphs(ir::Graph& graph) : graph_(graph) {}

  /// float32 [batch, 1, 1, sequence]: 0 for kept keys, the lowest float for the others.
  ir::ValueId mask_bias(ir::ValueId mask);
  /// int64 [sequence, sequence]: key minus query.
  ir::ValueId distances(ir::ValueId tokens);
  /// bool [sequence, sequence]: |key - query| > window.
  ir::ValueId outside_window(ir::ValueId tokens, std::int64_t window);
  /// float32 [1, num_heads, sequence, sequence] of `table` [num_heads, 2 R + 1]: the entry of the
  /// distance, of -R or R beyond them.
  ir::ValueId relative_bias(ir::ValueId tokens, ir::ValueId table);
  /// What is added to the scores [batch, num_heads, sequence, sequence], broadcasting to them:
  /// relative_bias (kNoValue: none), mask_bias, and the lowest float outside the window (0: none).
  /// kNoValue where there is nothing to add.
  ir::ValueId attention_bias(ir::ValueId tokens, ir::ValueId mask, ir::ValueId table,
                             std::int64_t window);
  /// int64 [batch, sequence] (or [1, sequence] without a mask): the index among the kept tokens of
  /// the row; 0 for the others.
  ir::ValueId kept_positions(ir::ValueId tokens, ir::ValueId mask);
  /// int64 [batch, sequence]: ai.octavo.PositionIds.
  ir::ValueId position_ids(ir::ValueId input_ids, ir::ValueId mask, std::int64_t padding_idx,
                           std::int64_t offset);
  /// float32 [batch, sequence, 1, head_size / 2] (a batch of 1 without a mask): cosine and sine of
  /// kept_positions times `inv_freq` [head_size / 2].
  struct Rotary {
    ir::ValueId cos, sin;
  };
  Rotary rotary(ir::ValueId tokens, ir::ValueId mask, ir::ValueId inv_freq);

  /// x / max(by, least).
  ir::ValueId divide(ir::ValueId x, ir::ValueId by, float least, const std::string& name);
  /// x / max(|x|, least) along the last axis.
  ir::ValueId l2_normalize(ir::ValueId x, float least, const std::string& name);

  // Small things that the callers need too.
  ir::ValueId integers(std::vector<std::int64_t> values);
  ir::ValueId integer(std::int64_t value);  // of rank 0
  ir::ValueId number(float value);          // of rank 0
  ir::ValueId unsqueeze(ir::ValueId x, std::vector<std::int64_t> axes, std::string name = {});
  ir::ValueId reshape(ir::ValueId x, std::vector<std::int64_t> shape, std::string name = {});
  ir::ValueId transpose(ir::ValueId x, std::vector<std::int64_t> perm, std::string name = {});
  ir::ValueId cast(ir::ValueId x, DType to, std::string name = {});

 private:
  using Key = std::tuple<std::string, ir::ValueId, ir::ValueId, std::int64_t>;
  template <typename Make>
  ir::ValueId once(const Key& key, Make&& make);
  ir::ValueId op(std::string name, std::vector<ir::ValueId> inputs, std::string node,
                 ir::Attributes attributes = {});
  ir::ValueId size(ir::ValueId tokens, std::int64_t axis);
  ir::ValueId range(ir::ValueId tokens);
  ir::ValueId counted(ir::ValueId kept);
  std::string fresh(const std::string& name);

  ir::Graph& graph_;
  std::map<Key, ir::ValueId> made_;
  std::map<std::vector<std::int64_t>, ir::ValueId> integers_;
  std::map<std::string, int> names_;
};

/// The size of the last axis of a value, where the graph shows it: by its shape, or by the weights
/// of what made it; -1 otherwise.
std::int64_t last_dimension(const ir::Graph& graph, ir::ValueId value);

}  // namespace octavo::passes
