#include "plan/step_kinds.h"

#include "plan/steps/attention.h"
#include "plan/steps/fake_quantize.h"
#include "plan/steps/linear.h"
#include "plan/steps/packed_linear.h"
#include "plan/steps/pooling.h"
#include "plan/steps/quantize.h"
#include "plan/steps/rowwise.h"

namespace octavo::plan {
namespace {

struct StepKind {
  std::string_view name;  // Step::kind()
  std::unique_ptr<Step> (*load)(PlanReader& reader, IsaMask isa);
};

constexpr StepKind kKinds[] = {
    {"attention", load_attention},
    {"binary", load_binary},
    {"embedding", load_embedding},
    {"fake_quantize", load_fake_quantize},
    {"first_token", load_first_token},
    {"l2_normalize", load_l2_normalize},
    {"layer_norm", load_layer_norm},
    {"linear", load_linear},
    {"mean_tokens", load_mean_tokens},
    {"packed_linear", load_packed_linear},
    {"quantize", load_quantize},
    {"rotary", load_rotary},
    {"unary", load_unary},
};

}  // namespace

std::unique_ptr<Step> load_step(std::string_view kind, PlanReader& reader, IsaMask isa) {
  for (const StepKind& row : kKinds) {
    if (row.name == kind) return row.load(reader, isa);
  }
  reader.require(false, "an unknown kind of step");
  return nullptr;
}

}  // namespace octavo::plan
