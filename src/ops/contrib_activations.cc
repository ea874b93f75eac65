// com.microsoft: Gelu, BiasGelu, FastGelu, QuickGelu.
#include <cmath>

#include "ops/contrib.h"

namespace octavo::ops::reference {

std::vector<Tensor> contrib_gelu(const OpCall& call) {
  return {call_op(call, "Gelu", {&call.input(0)})};
}

/// Gelu(x + a row).
std::vector<Tensor> bias_gelu(const OpCall& call) {
  const Tensor sum = add_row(call, call.input(0), &call.input(1));
  return {call_op(call, "Gelu", {&sum})};
}

/// The tanh form of Gelu(x + an optional row).
std::vector<Tensor> fast_gelu(const OpCall& call) {
  const Tensor sum = add_row(call, call.input(0), call.optional(1));
  return {call_op(call, "Gelu", {&sum}, {{"approximate", std::string("tanh")}})};
}

/// x * sigmoid(alpha * x).
std::vector<Tensor> quick_gelu(const OpCall& call) {
  const float alpha = call.attributes().float_or("alpha", 1.702f);
  return map_floats(
      call, [&]<typename C>(C x) { return x / (C{1} + std::exp(-static_cast<C>(alpha) * x)); });
}

}  // namespace octavo::ops::reference
