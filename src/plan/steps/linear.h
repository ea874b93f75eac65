// y = act(x * W + b) + residual, with the weights packed for one kernel.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kernels/matmul/matmul.h"
#include "plan/plan_file.h"
#include "plan/step.h"
#include "tensor/tensor.h"

namespace octavo::plan {

/// One weight matrix of a (possibly merged) linear layer.
struct LinearPart {
  Tensor weight;  // float32, [k, n], or [n, k] when `transposed`
  bool transposed = false;
  std::optional<Tensor> bias;  // float32, n elements

  std::size_t k() const { return static_cast<std::size_t>(weight.dim(transposed ? 1 : 0)); }
  std::size_t n() const { return static_cast<std::size_t>(weight.dim(transposed ? 0 : 1)); }
};

struct LinearSpec {
  std::string name;
  View x, y;
  std::vector<LinearPart> parts;  // side by side: their n add up to y.width
  std::optional<View> residual{};
  kernels::Activation activation = kernels::Activation::kNone;
};

std::unique_ptr<Step> make_linear(LinearSpec spec, IsaMask isa, ThreadPool* pool);
std::unique_ptr<Step> load_linear(PlanReader& reader, IsaMask isa);

}  // namespace octavo::plan
