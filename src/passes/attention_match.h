// Where attention is in a graph: from a Softmax, the products before and after it and the token
// values that they come from. Structure only; what is computed between these points is found and
// checked by running it.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "passes/match.h"
#include "passes/probe.h"

namespace octavo::passes {

/// One operand of a product of heads: the value [.., sequence, head_size] (or transposed) and the
/// token value [batch, sequence, channels] it is a rearrangement of.
struct Heads {
  ir::ValueId value = ir::kNoValue;
  ir::ValueId tokens = ir::kNoValue;
  std::int64_t channels = 0;
  std::vector<ir::ValueId> factors;  // what it is multiplied by on the way (rotary tables)
};

struct AttentionMatch {
  Heads q, k, v;
  ir::ValueId scores = ir::kNoValue;   // q . k
  ir::ValueId logits = ir::kNoValue;   // what the Softmax reads
  ir::ValueId weights = ir::kNoValue;  // what multiplies v
  ir::ValueId context = ir::kNoValue;  // [batch, sequence, heads * head_size]
  std::int64_t heads = 0, head_size = 0;
  /// The way from the scores to the Softmax: equal keys mean equal masks.
  std::string mask_key;
};

/// The match, or why there is none.
std::variant<AttentionMatch, std::string> match_attention(const ir::Graph& graph,
                                                          const Probe& probe,
                                                          const Readers& readers,
                                                          const ir::Node& softmax);

}  // namespace octavo::passes
