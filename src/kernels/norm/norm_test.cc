// Every LayerNormalization row against double-precision loops:
//   |error| <= u (n / 8 + 8) (|x - mean| + |mean|) / sigma * |scale| + u |y|, n = width.
#include "kernels/norm/norm.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/test_support.h"

namespace octavo::kernels {
namespace {

constexpr double kUnit = 0x1p-24;

void check(const NormKernel& kernel, std::size_t rows, std::size_t width, std::size_t extra,
           bool with_bias, float offset, GuardedFloats::Edge edge) {
  SCOPED_TRACE(testing::Message() << rows << " x " << width << " + " << extra);
  const std::size_t ld = width + extra;
  std::vector<float> values = random_floats((rows - 1) * ld + width, 1, 3.0f);
  for (float& v : values) v += offset;
  GuardedFloats x(values, edge), scale(random_floats(width, 2), edge);
  GuardedFloats bias(random_floats(width, 3), edge);
  GuardedFloats y(std::vector<float>(values.size(), 777.0f), edge);
  LayerNormArgs args{};
  args.x = x.data();
  args.ld_x = args.ld_y = ld;
  args.y = y.data();
  args.rows = rows;
  args.width = width;
  args.scale = scale.data();
  args.bias = with_bias ? bias.data() : nullptr;
  args.epsilon = 1e-5f;
  kernel.layer_norm(args);
  for (std::size_t i = 0; i < rows; ++i) {
    const float* row = x.data() + i * ld;
    double mean = 0, variance = 0, top = 0;
    for (std::size_t j = 0; j < width; ++j) mean += row[j];
    mean /= double(width);
    for (std::size_t j = 0; j < width; ++j) {
      variance += (row[j] - mean) * (row[j] - mean);
      top = std::max<double>(top, std::abs(row[j]));
    }
    const double sigma = std::sqrt(variance / double(width) + 1e-5);
    for (std::size_t j = 0; j < width; ++j) {
      const double shift = with_bias ? bias.data()[j] : 0.0f;
      const double want = (row[j] - mean) / sigma * scale.data()[j] + shift;
      const double spread = (std::abs(row[j] - mean) + top) / sigma;
      const double bound = kUnit * (double(width) / 8 + 8) * (spread + spread * top / sigma) *
                               std::abs(scale.data()[j]) +
                           2 * kUnit * (std::abs(want) + std::abs(shift));
      ASSERT_LE(std::abs(y.data()[i * ld + j] - want), bound) << i << ", " << j;
    }
    for (std::size_t j = width; j < ld && i + 1 < rows; ++j) {
      ASSERT_EQ(y.data()[i * ld + j], 777.0f) << "written between rows";
    }
  }
}

TEST(LayerNorm, EveryWidth) {
  for_each_runnable(norm_kernels(), [](const NormKernel& kernel) {
    for (std::size_t width = 1; width <= 150; ++width) {
      check(kernel, 1 + width % 4, width, width % 3, width % 2 == 0, 0.0f,
            width % 5 == 0 ? GuardedFloats::Edge::kBegin : GuardedFloats::Edge::kEnd);
    }
    for (std::size_t width : {384, 768, 1024, 4096}) {
      check(kernel, 3, width, 0, true, 0.0f, GuardedFloats::Edge::kEnd);
      check(kernel, 3, width, 16, true, 10.0f, GuardedFloats::Edge::kEnd);
    }
  });
}

TEST(LayerNorm, SameBitsAloneInABatchAndInPlace) {
  for_each_runnable(norm_kernels(), [](const NormKernel& kernel) {
    constexpr std::size_t rows = 9, width = 77;
    const std::vector<float> x = random_floats(rows * width, 1), scale = random_floats(width, 2);
    std::vector<float> batch(rows * width), alone(width), place = x;
    LayerNormArgs args{};
    args.x = x.data();
    args.ld_x = args.ld_y = width;
    args.y = batch.data();
    args.rows = rows;
    args.width = width;
    args.scale = scale.data();
    args.epsilon = 1e-12f;
    kernel.layer_norm(args);
    args.x = args.y = place.data();
    kernel.layer_norm(args);
    for (std::size_t i = 0; i < rows; ++i) {
      args.x = x.data() + i * width;
      args.y = alone.data();
      args.rows = 1;
      kernel.layer_norm(args);
      for (std::size_t j = 0; j < width; ++j) {
        ASSERT_TRUE(same_bits(alone[j], batch[i * width + j]));
        ASSERT_TRUE(same_bits(place[i * width + j], batch[i * width + j]));
      }
    }
  });
}

TEST(LayerNorm, ConstantRowGivesBiasAndNanStaysInItsRow) {
  for_each_runnable(norm_kernels(), [](const NormKernel& kernel) {
    constexpr std::size_t rows = 3, width = 37;
    std::vector<float> x = random_floats(rows * width, 1), y(rows * width);
    const std::vector<float> scale = random_floats(width, 2), bias = random_floats(width, 3);
    std::fill_n(x.begin(), width, 0.5f);
    x[width + width - 1] = std::numeric_limits<float>::quiet_NaN();
    LayerNormArgs args{};
    args.x = x.data();
    args.ld_x = args.ld_y = width;
    args.y = y.data();
    args.rows = rows;
    args.width = width;
    args.scale = scale.data();
    args.bias = bias.data();
    args.epsilon = 1e-5f;
    kernel.layer_norm(args);
    for (std::size_t j = 0; j < width; ++j) {
      EXPECT_EQ(y[j], bias[j]);
      EXPECT_TRUE(std::isnan(y[width + j]));
      EXPECT_TRUE(std::isfinite(y[2 * width + j]));
    }
  });
}

TEST(LayerNorm, ChoiceFollowsTheInstructionSets) {
  EXPECT_EQ(choose_norm(0).name, "norm_f32_portable");
#if defined(__x86_64__)
  EXPECT_EQ(choose_norm(kIsaAvx2).name, "norm_f32_avx2");
  EXPECT_EQ(choose_norm(kIsaAvx2 | kIsaAvx512).name, "norm_f32_avx512");
#endif
}

}  // namespace
}  // namespace octavo::kernels
