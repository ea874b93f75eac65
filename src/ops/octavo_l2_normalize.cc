// ai.octavo.L2Normalize(x) -> y, float32: x / max(|x|, epsilon) along the last axis, as
// torch.nn.functional.normalize. Attribute epsilon (1e-12).
#include <cmath>

#include "ops/reference.h"

namespace octavo::ops::reference {

std::vector<Tensor> octavo_l2_normalize(const OpCall& call) {
  const Tensor& x = call.input(0);
  require_float32(call, x);
  if (x.rank() == 0) call.fail("the input has no axis", "rank 1 or more", "rank 0");
  const double epsilon = call.attributes().float_or("epsilon", 1e-12f);
  Tensor out = make_output(call, DType::kFloat32, x.shape());
  if (x.elements() == 0) return {std::move(out)};
  const auto width = static_cast<std::size_t>(x.shape().back());
  const auto from = x.data<float>();
  const auto to = out.mutable_data<float>();
  for (std::size_t first = 0; first < from.size(); first += width) {
    double sum = 0;
    for (std::size_t i = first; i < first + width; ++i) sum += double{from[i]} * double{from[i]};
    const double norm = std::max(std::sqrt(sum), epsilon);
    for (std::size_t i = first; i < first + width; ++i)
      to[i] = static_cast<float>(double{from[i]} / norm);
  }
  return {std::move(out)};
}

}  // namespace octavo::ops::reference
