// Every element-wise row: activations against double-precision functions over dense sweeps, tails,
// strides, aliasing and special values.
#include "kernels/elementwise/elementwise.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/activation_test_support.h"
#include "kernels/test_support.h"

namespace octavo::kernels {
namespace {

constexpr double kUnit = 0x1p-24;
constexpr float kInf = std::numeric_limits<float>::infinity();

std::vector<float> apply(const ElementwiseKernel& kernel, std::vector<float> x, Activation act) {
  UnaryArgs args{};
  args.x = args.y = x.data();
  args.ld_x = args.ld_y = x.size();
  args.rows = 1;
  args.width = x.size();
  args.activation = act;
  kernel.unary(args);
  return x;
}

// Steps of 2^-12 over [-20, 20], and every magnitude from 2^-149 to 2^127.
std::vector<float> sweep() {
  std::vector<float> x;
  for (int i = -20 * 4096; i <= 20 * 4096; ++i) x.push_back(float(i) / 4096.0f);
  for (int e = -149; e <= 127; ++e) {
    for (float f : {1.0f, 1.31f, 1.77f}) {
      x.push_back(std::ldexp(f, e));
      x.push_back(-std::ldexp(f, e));
    }
  }
  return x;
}

double bound(double want, double x, Activation activation) {
  switch (activation) {
    case Activation::kNone:
    case Activation::kRelu: return 0;
    case Activation::kGeluErf:
    case Activation::kGeluTanh: return 3e-7 * std::max(1.0, std::abs(x));
    case Activation::kSilu: return 8 * kUnit * std::abs(want) + 1e-36;
    case Activation::kTanh: return std::min(2.5e-7, 8 * kUnit * std::abs(want)) + 1e-44;
    case Activation::kSigmoid: return 6 * kUnit * std::abs(want) + 1e-36;
  }
  return 0;
}

TEST(Unary, WithinTheBoundOverADenseSweep) {
  for_each_runnable(elementwise_kernels(), [](const ElementwiseKernel& kernel) {
    const std::vector<float> x = sweep();
    for (int a = 0; a <= int(Activation::kSigmoid); ++a) {
      const Activation activation = static_cast<Activation>(a);
      const std::vector<float> y = apply(kernel, x, activation);
      double worst = 0, worst_at = 0;
      for (std::size_t i = 0; i < x.size(); ++i) {
        const double want = activate(x[i], activation), error = std::abs(y[i] - want);
        ASSERT_LE(error, bound(want, x[i], activation)) << "activation " << a << " at " << x[i];
        if (error > worst && std::abs(x[i]) <= 20) worst = error, worst_at = x[i];
      }
      std::printf("%s activation %d: largest error %.3g at %g\n", kernel.name.data(), a, worst,
                  worst_at);
    }
  });
}

TEST(Unary, SpecialValues) {
  for_each_runnable(elementwise_kernels(), [](const ElementwiseKernel& kernel) {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    for (int a = 0; a <= int(Activation::kSigmoid); ++a) {
      const std::vector<float> y = apply(kernel, {nan, kInf, 0.0f}, static_cast<Activation>(a));
      const bool bounded = a >= int(Activation::kTanh);
      EXPECT_TRUE(std::isnan(y[0])) << a;
      EXPECT_EQ(y[1], bounded ? 1.0f : kInf) << a;
      EXPECT_EQ(y[2], a == int(Activation::kSigmoid) ? 0.5f : 0.0f) << a;
    }
    EXPECT_EQ(apply(kernel, {-kInf}, Activation::kRelu)[0], 0.0f);
    EXPECT_EQ(apply(kernel, {-kInf}, Activation::kTanh)[0], -1.0f);
    EXPECT_EQ(apply(kernel, {-kInf}, Activation::kSigmoid)[0], 0.0f);
    EXPECT_EQ(apply(kernel, {-200.0f}, Activation::kSigmoid)[0], 0.0f);
  });
}

TEST(Unary, TailsStridesAndEdges) {
  for_each_runnable(elementwise_kernels(), [](const ElementwiseKernel& kernel) {
    for (std::size_t width = 1; width <= 70; ++width) {
      const auto edge = width % 2 ? GuardedFloats::Edge::kEnd : GuardedFloats::Edge::kBegin;
      const std::size_t rows = 3, ld_x = width + 2, ld_y = width + 1;
      GuardedFloats x(random_floats(2 * ld_x + width, 1), edge);
      GuardedFloats y(std::vector<float>(2 * ld_y + width, 9.0f), edge);
      UnaryArgs args{};
      args.x = x.data();
      args.ld_x = ld_x;
      args.y = y.data();
      args.ld_y = ld_y;
      args.rows = rows;
      args.width = width;
      args.activation = Activation::kGeluErf;
      kernel.unary(args);
      for (std::size_t i = 0; i < rows; ++i) {
        for (std::size_t j = 0; j < width; ++j) {
          const float alone = apply(kernel, {x.data()[i * ld_x + j]}, Activation::kGeluErf)[0];
          ASSERT_TRUE(same_bits(alone, y.data()[i * ld_y + j])) << width << ", " << j;
        }
        if (i + 1 < rows) {
          ASSERT_EQ(y.data()[i * ld_y + width], 9.0f);
        }
      }
    }
  });
}

float combine(float a, float b, BinaryOp op) {
  switch (op) {
    case BinaryOp::kAdd: return a + b;
    case BinaryOp::kSub: return a - b;
    case BinaryOp::kMul: return a * b;
    case BinaryOp::kDiv: return a / b;
  }
  return 0;
}

TEST(Binary, EveryOpActivationAndTailExactly) {
  for_each_runnable(elementwise_kernels(), [](const ElementwiseKernel& kernel) {
    for (int o = 0; o <= int(BinaryOp::kDiv); ++o) {
      for (std::size_t width = 1; width <= 40; ++width) {
        const Activation act = static_cast<Activation>(width % 7);
        for (const bool shared : {false, true}) {
          const std::size_t rows = 3, ld = width + width % 4, ld_b = shared ? 0 : ld;
          GuardedFloats a(random_floats(2 * ld + width, 1));
          GuardedFloats b(random_floats(2 * ld_b + width, 2));
          GuardedFloats y(2 * ld + width);
          BinaryArgs args{};
          args.a = a.data();
          args.b = b.data();
          args.ld_a = args.ld_y = ld;
          args.ld_b = ld_b;
          args.y = width % 3 == 0 ? a.data() : y.data();
          args.rows = rows;
          args.width = width;
          args.op = static_cast<BinaryOp>(o);
          args.activation = act;
          const std::vector<float> before = a.values();
          kernel.binary(args);
          for (std::size_t i = 0; i < rows; ++i) {
            for (std::size_t j = 0; j < width; ++j) {
              const float left = apply(kernel, {before[i * ld + j]}, act)[0];
              const float want = combine(left, b.data()[i * ld_b + j], args.op);
              ASSERT_TRUE(same_bits(args.y[i * ld + j], want)) << o << ' ' << i << ' ' << j;
            }
          }
        }
      }
    }
  });
}

TEST(Rotary, EveryHeadSize) {
  for_each_runnable(elementwise_kernels(), [](const ElementwiseKernel& kernel) {
    for (std::size_t size = 2; size <= 132; size += 2) {
      const std::size_t rows = 3, heads = 2, half = size / 2, ld = heads * size + 1;
      GuardedFloats x(random_floats(2 * ld + heads * size, 1));
      GuardedFloats cosine(rows * half), sine(rows * half);
      for (std::size_t i = 0; i < rows * half; ++i) {
        cosine.data()[i] = std::cos(float(i));
        sine.data()[i] = std::sin(float(i));
      }
      const std::vector<float> before = x.values();
      RotaryArgs args{};
      args.x = x.data();
      args.ld_x = ld;
      args.rows = rows;
      args.heads = heads;
      args.head_size = size;
      args.cosine = cosine.data();
      args.sine = sine.data();
      kernel.rotary(args);
      for (std::size_t i = 0; i < rows; ++i) {
        for (std::size_t h = 0; h < heads; ++h) {
          for (std::size_t p = 0; p < half; ++p) {
            const std::size_t at = i * ld + h * size + p;
            const double x1 = before[at], x2 = before[at + half];
            const double c = cosine.data()[i * half + p], s = sine.data()[i * half + p];
            const double slack = 2 * kUnit * (std::abs(x1) + std::abs(x2));
            ASSERT_NEAR(x.data()[at], x1 * c - x2 * s, slack);
            ASSERT_NEAR(x.data()[at + half], x2 * c + x1 * s, slack);
          }
        }
        if (i + 1 < rows) {
          ASSERT_EQ(x.data()[i * ld + heads * size], before[i * ld + heads * size]);
        }
      }
    }
  });
}

TEST(Elementwise, ChoiceFollowsTheInstructionSets) {
  EXPECT_EQ(choose_elementwise(0).name, "elementwise_f32_portable");
#if defined(__x86_64__)
  EXPECT_EQ(choose_elementwise(kIsaAvx2).name, "elementwise_f32_avx2");
  EXPECT_EQ(choose_elementwise(kIsaAvx2 | kIsaAvx512).name, "elementwise_f32_avx512");
#endif
}

}  // namespace
}  // namespace octavo::kernels
