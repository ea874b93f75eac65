// What the names of steps and kernels tell: the layer a step belongs to, the type a kernel computes
// in. Knows no model.
#pragma once

#include <string>
#include <string_view>

#include "octavo/model.h"

namespace octavo::eval {

struct StepPlace {
  std::string layer;  // "layer 3", or the first part of a name without a layer: "embeddings"
  std::string name;   // the rest: "attention.self.query"
};

/// Parts of a name stand between '.' or '/'. The first one that is a number, with another before
/// it, is the layer's.
StepPlace place_of_step(std::string_view name);

/// "attention.self.query linear 384->384": the rest of the name, the op and the shape without the
/// rows that every step has.
std::string step_label(const PlanStep& step);

/// What a kernel such as "gemm_int8_avx512_vnni" computes in, by the second part of its name:
/// "int8", "bf16" or "fp32", in which halves are multiplied too. Empty when it is none of them.
std::string_view kernel_precision(std::string_view kernel);

}  // namespace octavo::eval
