// Every row of the softmax kernels against the formula in double, at every width and edge.
#include "kernels/softmax/softmax.h"

#include <cmath>
#include <limits>

#include "kernels/test_support.h"

namespace octavo::kernels {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

std::vector<double> softmax_of(const float* x, std::size_t width) {
  const double most = *std::max_element(x, x + width);
  std::vector<double> out;
  double sum = 0;
  for (std::size_t i = 0; i < width; ++i) sum += out.emplace_back(std::exp(double{x[i]} - most));
  for (double& v : out) v /= sum;
  return out;
}

template <class Body>
void each(Body body) {
  for_each_runnable(softmax_kernels(), body);
}

TEST(Softmax, EveryWidthAndEdge) {
  each([](const SoftmaxKernel& kernel) {
    for (std::size_t width = 1; width <= 140; ++width) {
      const std::size_t rows = 1 + width % 4, ld_x = width + width % 3, ld_y = width + width % 2;
      const auto edge = width % 2 ? GuardedFloats::Edge::kEnd : GuardedFloats::Edge::kBegin;
      GuardedFloats x(random_floats((rows - 1) * ld_x + width, 9 + width, 12.0f), edge);
      GuardedFloats y(std::vector<float>((rows - 1) * ld_y + width, -1.0f), edge);
      kernel.softmax(
          {.x = x.data(), .ld_x = ld_x, .y = y.data(), .ld_y = ld_y, .rows = rows, .width = width});
      for (std::size_t i = 0; i < rows; ++i) {
        const float* from = x.data() + i * ld_x;
        const auto wanted = softmax_of(from, width);
        const float most = *std::max_element(from, from + width);
        for (std::size_t p = 0; p < width; ++p) {
          const float got = y.data()[i * ld_y + p];
          ASSERT_NEAR(got, wanted[p], (5e-7 + 6e-8 * (most - from[p])) * wanted[p] + 1e-30)
              << width << " at " << i << ", " << p;
        }
        for (std::size_t p = width; p < ld_y && i + 1 < rows; ++p) {
          ASSERT_EQ(y.data()[i * ld_y + p], -1.0f);
        }
      }
    }
  });
}

TEST(Softmax, InPlaceGivesTheSameBits) {
  each([](const SoftmaxKernel& kernel) {
    for (const std::size_t width : {1, 16, 77, 512}) {
      auto x = random_floats(3 * width, 4, 5.0f);
      std::vector<float> y(x.size());
      const SoftmaxArgs args{
          .x = x.data(), .ld_x = width, .y = y.data(), .ld_y = width, .rows = 3, .width = width};
      kernel.softmax(args);
      SoftmaxArgs own = args;
      own.y = x.data();
      kernel.softmax(own);
      EXPECT_EQ(x, y);
    }
  });
}

TEST(Softmax, SpecialValues) {
  each([](const SoftmaxKernel& kernel) {
    const auto one = [&](std::vector<float> x) {
      kernel.softmax({.x = x.data(),
                      .ld_x = x.size(),
                      .y = x.data(),
                      .ld_y = x.size(),
                      .rows = 1,
                      .width = x.size()});
      return x;
    };
    for (const std::size_t width : {2, 19, 33}) {
      for (std::size_t place = 0; place < width; ++place) {
        auto x = random_floats(width, 3);
        x[place] = -kInfinity;
        EXPECT_EQ(one(x)[place], 0.0f);
        x[place] = 3.4e38f;
        EXPECT_EQ(one(x)[place], 1.0f);
        for (const float special : {kInfinity, std::numeric_limits<float>::quiet_NaN()}) {
          x[place] = special;
          EXPECT_TRUE(std::isnan(one(x)[place]));
        }
      }
      EXPECT_TRUE(std::isnan(one(std::vector<float>(width, -kInfinity))[0]));
      EXPECT_FLOAT_EQ(one(std::vector<float>(width, -1e4f))[0], 1.0f / static_cast<float>(width));
    }
  });
}

TEST(Softmax, ChoiceFollowsTheInstructionSets) {
  EXPECT_EQ(choose_softmax(0).name, "softmax_portable");
  EXPECT_EQ(choose_softmax(~IsaMask{0}).name, softmax_kernels().back().name);
}

}  // namespace
}  // namespace octavo::kernels
