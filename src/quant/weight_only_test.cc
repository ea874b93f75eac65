#include "quant/weight_only.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace octavo::quant {
namespace {

TEST(WeightOnly, ABlockMayReachFromOneEndOfTheFloatsToTheOther) {
  constexpr float kMost = std::numeric_limits<float>::max();
  const std::vector<float> x = {-kMost, kMost, 0, kMost / 2,  0, 0, 0, 0,
                                0,      0,     0, -kMost / 2, 0, 0, 0, 0};
  const Tensor matrix = Tensor::from<float>({16, 1}, x);
  for (const int bits : {4, 8}) {
    const Blocks blocks = make_blocks(matrix, bits, 16, false);
    const double scale = blocks.scales.data<float>()[0];
    ASSERT_TRUE(std::isfinite(scale)) << bits;
    const auto code = [&](const Tensor& t, std::size_t i) {
      const int byte = t.data<std::uint8_t>()[bits == 8 ? i : i / 2];
      return bits == 8 ? byte : byte >> (i % 2 * 4) & 15;
    };
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double back = scale * (code(blocks.values, i) - code(blocks.zeros, 0));
      EXPECT_LE(std::fabs(back - x[i]), scale * 1.001) << bits << " " << i;
    }
  }
}

}  // namespace
}  // namespace octavo::quant
