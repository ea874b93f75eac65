// What a matched attention computes: offsets, scale, rotary frequencies, bias, mask; found by
// running its parts on chosen inputs, then checked as a whole against the reference of
// ai.octavo.Attention on random inputs.
#pragma once

#include <map>

#include "passes/attention_match.h"

namespace octavo::passes {

struct AttentionFacts {
  std::int64_t q_offset = 0, k_offset = 0, v_offset = 0;  // first channel in the token value
  float scale = 1;
  bool masked = false;                  // masked keys get no weight
  std::int64_t local_window = 0;        // 0: none
  std::optional<Tensor> inv_freq;       // rotary, of both q and k
  std::optional<Tensor> relative_bias;  // [heads, 2R + 1], added to the scores
};

/// What is added to the scores and which keys get no weight, by AttentionMatch::mask_key: layers
/// share masks.
struct MaskRule {
  bool masked = false;
  std::int64_t local_window = 0;
  std::optional<Tensor> relative_bias;
};
using MaskCache = std::map<std::string, MaskRule>;

/// The facts, checked; or why the match is no attention that octavo has.
std::variant<AttentionFacts, std::string> find_attention_facts(const ir::Graph& graph,
                                                               const Probe& probe,
                                                               const AttentionMatch& match,
                                                               MaskCache& masks);

}  // namespace octavo::passes
