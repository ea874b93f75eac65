// Which values hold one row for each token, [batch, sequence, width], told from the operators
// alone, or from what runs of the graph showed.
#pragma once

#include <map>
#include <optional>

#include "passes/match.h"
#include "passes/probe.h"

namespace octavo::passes {

class TokenValues {
 public:
  explicit TokenValues(const ir::Graph& graph) : graph_(graph) {}

  /// The width of a value that is [batch, sequence, width] for certain; nothing for the others.
  std::optional<std::int64_t> width(ir::ValueId value);

  /// Takes what runs of the graph show of values that its operators do not tell of: behind
  /// attention that stays in its parts.
  void learn(const Probe& probe);

 private:
  std::optional<std::int64_t> find(ir::ValueId value);
  std::optional<std::int64_t> elementwise(const ir::Node& node);
  std::optional<std::int64_t> part(const ir::Node& node, ir::ValueId value);
  bool is_token_index(ir::ValueId value) const;

  const ir::Graph& graph_;
  std::map<ir::ValueId, std::optional<std::int64_t>> known_;
};

/// A constant that is one number for each element of the last axis: [H] or [1, .., 1, H], H > 1.
const Tensor* row_constant(const ir::Graph& graph, ir::ValueId value);
/// The row as [H].
inline Tensor flat_row(const Tensor& row) { return row.reshaped({row.shape().back()}); }

/// sum = value + row, in either order.
struct RowSum {
  ir::ValueId value = ir::kNoValue;
  const Tensor* row = nullptr;
};
std::optional<RowSum> match_row_sum(const ir::Graph& graph, ir::ValueId sum);

/// True where the value is as wide as the row for certain: the sum is no wider than it.
bool as_wide_as_row(const ir::Graph& graph, TokenValues& tokens, const RowSum& sum);

/// x * weight [+ bias], with a constant matrix [in, out] and a row.
struct Linear {
  ir::ValueId x = ir::kNoValue;
  const Tensor* weight = nullptr;
  const Tensor* bias = nullptr;  // nullptr: none
  ir::ValueId product = ir::kNoValue;
};
std::optional<Linear> match_linear(const ir::Graph& graph, ir::ValueId value);

/// `value`, of an integer or bool type, as int32: itself, a Cast that is there, or a new one.
ir::ValueId as_int32(ir::Graph& graph, ir::ValueId value);

}  // namespace octavo::passes
