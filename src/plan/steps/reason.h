// Why a kernel was chosen and the others were not, in words.
#pragma once

#include <span>
#include <string>

#include "base/cpu.h"
#include "kernels/matmul/matmul.h"

namespace octavo::plan {

inline const char* activation_name(kernels::Activation activation) {
  using enum kernels::Activation;
  switch (activation) {
    case kNone: return "none";
    case kGeluErf: return "gelu";
    case kGeluTanh: return "gelu_tanh";
    case kRelu: return "relu";
    case kSilu: return "silu";
    case kTanh: return "tanh";
    case kSigmoid: return "sigmoid";
  }
  return "none";
}

/// Rows are ordered weakest first; the ones after `chosen` were rejected.
template <typename Kernel>
std::string reason_for(std::span<const Kernel> rows, const Kernel& chosen, IsaMask isa) {
  std::string rejected;
  bool after = false;
  for (const Kernel& row : rows) {
    if (after) {
      if (!rejected.empty()) rejected += "; ";
      rejected += std::string(row.name) + " needs " + isa_name(row.isa & ~isa);
    }
    after = after || &row == &chosen;
  }
  return rejected.empty() ? "the strongest there is" : rejected;
}

}  // namespace octavo::plan
