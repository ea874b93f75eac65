// Attention over packed sequences: every head of every sequence by itself.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/cpu.h"
#include "kernels/attention/attention.h"
#include "plan/plan_file.h"
#include "plan/step.h"
#include "tensor/tensor.h"

namespace octavo::plan {

struct AttentionSpec {
  std::string name;
  View q, k, v, y;
  std::size_t heads;
  float scale;
  std::size_t local_window = 0;         // 0: global
  std::optional<Tensor> relative_bias;  // float32 [heads, 2 * radius + 1]
  kernels::AttentionType type = kernels::AttentionType::kFloat32;
};
std::unique_ptr<Step> make_attention(AttentionSpec spec, IsaMask isa);
std::unique_ptr<Step> load_attention(PlanReader& reader, IsaMask isa);

}  // namespace octavo::plan
