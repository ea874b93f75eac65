// exp and erf of every instruction set against double precision over dense sweeps.
#include "kernels/simd/math.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/test_support.h"

namespace octavo::kernels {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

std::vector<float> dense(float low, float high, std::size_t count) {
  std::vector<float> x(count);
  for (std::size_t i = 0; i < count; ++i) {
    x[i] = low + (high - low) * static_cast<float>(i) / static_cast<float>(count - 1);
  }
  return x;
}

std::vector<float> evaluate(void (*function)(const float*, float*, std::size_t) noexcept,
                            const std::vector<float>& x) {
  std::vector<float> y(x.size());
  function(x.data(), y.data(), x.size());
  return y;
}

// Distance to `want` in units of the last place of the float nearest to it.
double ulps(float got, double want) {
  const double unit =
      std::max(std::ldexp(1.0, std::ilogb(static_cast<float>(want)) - 23), 0x1p-149);
  return std::abs(got - want) / unit;
}

TEST(Math, ExpWithinTwoUlpDownToTheDenormals) {
  for_each_runnable(math_kernels(), [](const MathKernel& kernel) {
    const std::vector<float> x = dense(-103.2f, 88.72f, 1 << 20), y = evaluate(kernel.exp, x);
    double worst = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double off = ulps(y[i], std::exp(double(x[i])));
      ASSERT_LE(off, 2.0) << x[i];
      worst = std::max(worst, off);
    }
    std::printf("%s exp: %.3f ulp\n", kernel.name.data(), worst);
  });
}

TEST(Math, ExpAtTheExtremes) {
  for_each_runnable(math_kernels(), [](const MathKernel& kernel) {
    const std::vector<float> y =
        evaluate(kernel.exp, {-kInf, -1e30f, -200.0f, -104.5f, kInf, 1e30f, 100.0f, 88.73f, 0.0f,
                              -0.0f, std::nanf(""), -std::nanf("")});
    for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(y[i], 0.0f) << i;
    for (std::size_t i = 4; i < 8; ++i) EXPECT_EQ(y[i], kInf) << i;
    EXPECT_EQ(y[8], 1.0f);
    EXPECT_EQ(y[9], 1.0f);
    EXPECT_TRUE(std::isnan(y[10]));
    EXPECT_TRUE(std::isnan(y[11]));
  });
}

TEST(Math, ErfWithinItsBoundAndOdd) {
  for_each_runnable(math_kernels(), [](const MathKernel& kernel) {
    const std::vector<float> x = dense(0.0f, 6.0f, 1 << 20), y = evaluate(kernel.erf, x);
    std::vector<float> negative = x;
    for (float& v : negative) v = -v;
    const std::vector<float> z = evaluate(kernel.erf, negative);
    double worst = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double off = std::abs(y[i] - std::erf(double(x[i])));
      ASSERT_LE(off, 2.5e-7) << x[i];
      ASSERT_EQ(y[i], -z[i]) << x[i];
      worst = std::max(worst, off);
    }
    std::printf("%s erf: %.3g\n", kernel.name.data(), worst);
  });
}

TEST(Math, ErfOfSpecialValues) {
  for_each_runnable(math_kernels(), [](const MathKernel& kernel) {
    const std::vector<float> y =
        evaluate(kernel.erf, {kInf, -kInf, 1e30f, -1e30f, std::nanf(""), 0.0f});
    EXPECT_EQ(y[0], 1.0f);
    EXPECT_EQ(y[1], -1.0f);
    EXPECT_EQ(y[2], 1.0f);
    EXPECT_EQ(y[3], -1.0f);
    EXPECT_TRUE(std::isnan(y[4]));
    EXPECT_EQ(y[5], 0.0f);
  });
}

TEST(Math, TailsHaveTheBitsOfTheBody) {
  for_each_runnable(math_kernels(), [](const MathKernel& kernel) {
    const std::vector<float> x = random_floats(64, 5, 4.0f), all = evaluate(kernel.exp, x);
    for (std::size_t first = 0; first < 20; ++first) {
      for (std::size_t count = 0; count <= 40; ++count) {
        GuardedFloats part(std::vector<float>(x.begin() + first, x.begin() + first + count));
        kernel.exp(part.data(), part.data(), count);
        for (std::size_t i = 0; i < count; ++i) {
          ASSERT_TRUE(same_bits(part.data()[i], all[first + i])) << first << ", " << count;
        }
      }
    }
  });
}

TEST(Math, ChoiceFollowsTheInstructionSets) {
  EXPECT_EQ(choose_math(0).name, "math_f32_portable");
#if defined(__x86_64__)
  EXPECT_EQ(choose_math(kIsaAvx2).name, "math_f32_avx2");
  EXPECT_EQ(choose_math(kIsaAvx2 | kIsaAvx512).name, "math_f32_avx512");
#endif
}

}  // namespace
}  // namespace octavo::kernels
