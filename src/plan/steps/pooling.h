// Steps that end in one vector a text.
#pragma once

#include <memory>
#include <string>

#include "plan/plan_file.h"
#include "plan/step.h"

namespace octavo::plan {

/// The mean of a sequence's tokens, summed in their order in double precision.
struct MeanTokensSpec {
  std::string name;
  View x, y;  // tokens -> sequences
};
std::unique_ptr<Step> make_mean_tokens(MeanTokensSpec spec);
std::unique_ptr<Step> load_mean_tokens(PlanReader& reader, IsaMask isa);

/// x / max(|x|, epsilon), row by row.
struct L2NormalizeSpec {
  std::string name;
  View x, y;
  float epsilon = 0;
};
std::unique_ptr<Step> make_l2_normalize(L2NormalizeSpec spec);
std::unique_ptr<Step> load_l2_normalize(PlanReader& reader, IsaMask isa);

}  // namespace octavo::plan
