// Rows of tokens into the tiles that packed products read.
#pragma once

#include <memory>
#include <string>

#include "base/cpu.h"
#include "kernels/gemm/layout.h"
#include "plan/plan_file.h"
#include "plan/step.h"

namespace octavo::plan {

struct QuantizeSpec {
  std::string name;
  View x;
  TileView y;
  kernels::GemmType type;
};
std::unique_ptr<Step> make_quantize(QuantizeSpec spec, IsaMask isa);
std::unique_ptr<Step> load_quantize(PlanReader& reader, IsaMask isa);

}  // namespace octavo::plan
