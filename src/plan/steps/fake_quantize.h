// Rows rounded to the grid of a quantised type and back (ai.octavo.FakeQuantize): how a model with
// quantised activations is measured at the speed of float products.
#pragma once

#include <memory>
#include <string>

#include "plan/plan_file.h"
#include "plan/step.h"

namespace octavo::plan {

/// y = clip(round(x / scale), low, high) * scale; y may be x.
struct FakeQuantizeSpec {
  std::string name;
  View x, y;
  float scale = 1, low = 0, high = 0;
};
std::unique_ptr<Step> make_fake_quantize(FakeQuantizeSpec spec);
std::unique_ptr<Step> load_fake_quantize(PlanReader& reader, IsaMask isa);

}  // namespace octavo::plan
