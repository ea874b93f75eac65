// ai.octavo.FakeQuantize(x) -> y, float32: x rounded to the grid of a quantised type and back,
//   y = clip(round(x / scale), low, high) * scale,
// rounding to nearest even; low and high are the type's limits less its zero point. What
// QuantizeLinear and DequantizeLinear with one scale do together, in the one type that stays.
#include <algorithm>
#include <cmath>

#include "ops/reference.h"

namespace octavo::ops::reference {

std::vector<Tensor> octavo_fake_quantize(const OpCall& call) {
  const Tensor& x = call.input(0);
  require_float32(call, x);
  const float scale = call.attributes().float_or("scale", 0);
  const std::int64_t low = call.attributes().require_int("low"),
                     high = call.attributes().require_int("high");
  constexpr std::int64_t kMost = 65535;
  if (!(scale > 0) || !std::isfinite(scale))
    call.fail("the scale is not a positive number", "more than 0", std::to_string(scale));
  if (low > 0 || high < 0 || low < -kMost || high > kMost)
    call.fail("the limits hold no zero, or are those of no 16-bit type", "low <= 0 <= high",
              std::to_string(low) + " and " + std::to_string(high));
  Tensor out(DType::kFloat32, x.shape());
  const auto from = x.data<float>();
  const auto to = out.mutable_data<float>();
  for (std::size_t i = 0; i < from.size(); ++i) {
    const float steps = std::nearbyint(from[i] / scale);
    to[i] = std::clamp(steps, static_cast<float>(low), static_cast<float>(high)) * scale;
  }
  return {std::move(out)};
}

}  // namespace octavo::ops::reference
