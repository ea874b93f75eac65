// Every matmul row against a double-precision product: |error| <= 2 (k + 2) u sum |a b| before the
// activation, and bit equality of a row however it is computed.
#include "kernels/matmul/matmul.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/activation_test_support.h"
#include "kernels/test_support.h"

namespace octavo::kernels {
namespace {

constexpr double kUnit = 0x1p-24;

struct Case {
  std::size_t m, n, k;
  std::size_t extra = 0;  // floats between rows of A, C and the residual
  bool bias = false, residual = false, in_place = false, transposed_b = false;
  float scale = 1.0f;
  Activation activation = Activation::kNone;
  GuardedFloats::Edge edge = GuardedFloats::Edge::kEnd;
};

// Floats of a [rows, columns] matrix of row stride ld that ends with its last element.
std::size_t extent(std::size_t rows, std::size_t columns, std::size_t ld) {
  return rows == 0 ? 0 : (rows - 1) * ld + columns;
}

void check(const MatmulKernel& kernel, const Case& c) {
  SCOPED_TRACE(testing::Message() << "m " << c.m << " n " << c.n << " k " << c.k << " extra "
                                  << c.extra << " activation " << int(c.activation));
  const std::size_t lda = c.k + c.extra, ldc = c.n + c.extra;
  GuardedFloats a(random_floats(extent(c.m, c.k, lda), 1), c.edge);
  GuardedFloats b(random_floats(c.k * c.n, 2), c.edge);
  GuardedFloats bias(random_floats(c.n, 3), c.edge);
  GuardedFloats residual(random_floats(extent(c.m, c.n, ldc), 4), c.edge);
  const std::size_t row_stride = c.transposed_b ? 1 : c.n;
  const std::size_t column_stride = c.transposed_b ? c.k : 1;

  const std::size_t panels = matmul_panels(kernel, c.n);
  GuardedFloats packed(std::vector<float>(matmul_packed_floats(kernel, c.n, c.k), NAN), c.edge);
  kernel.pack(b.data(), row_stride, column_stride, c.k, c.n, packed.data(), 0, panels);
  const float marker = 12345.0f;
  GuardedFloats out(
      c.in_place ? residual.values() : std::vector<float>(extent(c.m, c.n, ldc), marker), c.edge);
  MatmulArgs args{.a = a.data(),
                  .lda = lda,
                  .packed_b = packed.data(),
                  .c = out.data(),
                  .ldc = ldc,
                  .m = c.m,
                  .n = c.n,
                  .k = c.k};
  if (c.bias) args.bias = bias.data();
  if (c.residual) args.residual = c.in_place ? out.data() : residual.data();
  args.ld_residual = ldc;
  args.scale = c.scale;
  args.activation = c.activation;
  kernel.run(args, 0, c.m, 0, panels);

  for (std::size_t i = 0; i < c.m; ++i) {
    for (std::size_t j = 0; j < c.n; ++j) {
      double sum = 0, norm = 0;
      for (std::size_t p = 0; p < c.k; ++p) {
        const double product =
            double(a.data()[i * lda + p]) * b.data()[p * row_stride + j * column_stride];
        sum += product;
        norm += std::abs(product);
      }
      double want = sum * c.scale + (c.bias ? bias.data()[j] : 0.0f);
      double bound = 2 * double(c.k + 2) * kUnit * norm * std::abs(c.scale);
      bound += 4 * kUnit * (std::abs(want) + 1);
      if (c.activation != Activation::kNone) {
        want = activate(want, c.activation);
        bound = 1.2 * bound + 1e-6 * std::max(1.0, std::abs(want));
      }
      if (c.residual) want += residual.data()[i * ldc + j];
      bound += 2 * kUnit * std::abs(want);
      const float got = out.data()[i * ldc + j];
      ASSERT_LE(std::abs(got - want), bound) << "at " << i << ", " << j;
    }
    if (i + 1 < c.m) {
      for (std::size_t j = c.n; j < ldc; ++j) {
        const std::size_t at = i * ldc + j;
        const float before = c.in_place ? residual.data()[at] : marker;
        ASSERT_EQ(out.data()[at], before) << "written between rows, at " << i << ", " << j;
      }
    }
  }
}

template <class Body>
void each(Body body) {
  for_each_runnable(matmul_kernels(), body);
}

TEST(Matmul, RowAndColumnTails) {
  each([](const MatmulKernel& kernel) {
    for (std::size_t m = 1; m <= 30; ++m) {
      for (std::size_t n = 1; n <= 70; ++n) check(kernel, {.m = m, .n = n, .k = 1 + (m + n) % 9});
    }
  });
}

TEST(Matmul, DepthTailsAndTransposedB) {
  each([](const MatmulKernel& kernel) {
    for (std::size_t k = 1; k <= 40; ++k) {
      for (std::size_t n : {5, 32, 67}) {
        check(kernel, {.m = 7, .n = n, .k = k, .extra = 3, .transposed_b = true});
        check(kernel, {.m = 14, .n = n, .k = k, .edge = GuardedFloats::Edge::kBegin});
      }
    }
  });
}

TEST(Matmul, Epilogues) {
  each([](const MatmulKernel& kernel) {
    for (int activation = 0; activation <= int(Activation::kSigmoid); ++activation) {
      for (int flags = 0; flags < 8; ++flags) {
        Case c{.m = 13, .n = 37, .k = 24, .extra = 5};
        c.bias = flags & 1;
        c.residual = flags & 2;
        c.in_place = flags & 4;
        c.scale = flags & 1 ? 0.75f : 1.0f;
        c.activation = static_cast<Activation>(activation);
        check(kernel, c);
        c.n = 2 * kernel.panel;
        check(kernel, c);
      }
    }
  });
}

TEST(Matmul, LargeDepthAndManyRows) {
  each([](const MatmulKernel& kernel) {
    check(kernel, {.m = 3, .n = 33, .k = 4096, .bias = true});
    check(kernel, {.m = 203, .n = 40, .k = 100, .extra = 1, .residual = true});
    check(kernel, {.m = 20, .n = 70, .k = 1031, .bias = true});
    check(kernel, {.m = 5, .n = 33, .k = 4611, .bias = true});
    check(kernel, {.m = 50, .n = 40, .k = 4611, .bias = true, .residual = true});
  });
}

TEST(Matmul, NothingToSumGivesTheBias) {
  each([](const MatmulKernel& kernel) { check(kernel, {.m = 3, .n = 9, .k = 0, .bias = true}); });
}

void same_bits_in_any_split(std::size_t m, std::size_t n, std::size_t k) {
  each([&](const MatmulKernel& kernel) {
    const std::vector<float> a = random_floats(m * k, 1), b = random_floats(k * n, 2);
    const std::vector<float> bias = random_floats(n, 3);
    const std::size_t panels = matmul_panels(kernel, n);
    std::vector<float> packed(matmul_packed_floats(kernel, n, k));
    for (std::size_t panel = panels; panel-- > 0;) {
      kernel.pack(b.data(), n, 1, k, n, packed.data(), panel, panel + 1);
    }
    std::vector<float> whole(m * n), alone(m * n), split(m * n);
    MatmulArgs args{.a = a.data(),
                    .lda = k,
                    .packed_b = packed.data(),
                    .c = whole.data(),
                    .ldc = n,
                    .m = m,
                    .n = n,
                    .k = k};
    args.bias = bias.data();
    args.activation = Activation::kGeluErf;
    kernel.run(args, 0, m, 0, panels);
    args.c = split.data();
    for (std::size_t row = 0, step = 1; row < m; row += step, ++step) {
      const std::size_t last = std::min(m, row + step);
      kernel.run(args, row, last, panels / 2, panels);
      kernel.run(args, row, last, 0, panels / 2);
    }
    args.m = 1;
    for (std::size_t i = 0; i < m; ++i) {
      args.a = a.data() + i * k;
      args.c = alone.data() + i * n;
      kernel.run(args, 0, 1, 0, panels);
    }
    for (std::size_t i = 0; i < m * n; ++i) {
      ASSERT_TRUE(same_bits(whole[i], split[i])) << i;
      ASSERT_TRUE(same_bits(whole[i], alone[i])) << i;
    }
    // A narrower B: its columns keep their bits in a partial panel too.
    for (std::size_t narrow = 1; narrow < n; narrow += 3) {
      kernel.pack(b.data(), n, 1, k, narrow, packed.data(), 0, matmul_panels(kernel, narrow));
      args.a = a.data();
      args.c = split.data();
      args.m = 5;
      args.n = narrow;
      kernel.run(args, 0, 5, 0, matmul_panels(kernel, narrow));
      for (std::size_t i = 0; i < 5; ++i) {
        for (std::size_t j = 0; j < narrow; ++j) {
          ASSERT_TRUE(same_bits(split[i * n + j], whole[i * n + j])) << narrow << ", " << j;
        }
      }
    }
  });
}

TEST(Matmul, SameBitsAloneInABatchAndInAnySplit) {
  same_bits_in_any_split(211, 101, 77);
  same_bits_in_any_split(57, 37, 4611);  // several parts along k
}

TEST(Matmul, SameBitsOnEveryInstructionSetWithFma) {
  constexpr std::size_t m = 17, n = 45, k = 130;
  const std::vector<float> a = random_floats(m * k, 1), b = random_floats(k * n, 2);
  std::vector<float> first;
  each([&](const MatmulKernel& kernel) {
    if (kernel.isa == 0) return;
    std::vector<float> packed(matmul_packed_floats(kernel, n, k)), c(m * n);
    kernel.pack(b.data(), n, 1, k, n, packed.data(), 0, matmul_panels(kernel, n));
    MatmulArgs args{.a = a.data(),
                    .lda = k,
                    .packed_b = packed.data(),
                    .c = c.data(),
                    .ldc = n,
                    .m = m,
                    .n = n,
                    .k = k};
    args.activation = Activation::kGeluErf;
    kernel.run(args, 0, m, 0, matmul_panels(kernel, n));
    if (first.empty()) first = c;
    for (std::size_t i = 0; i < m * n; ++i) ASSERT_TRUE(same_bits(c[i], first[i])) << i;
  });
}

TEST(Matmul, InfinitiesAndNansReachTheirRowAlone) {
  each([](const MatmulKernel& kernel) {
    constexpr std::size_t m = 14, n = 35, k = 9;
    std::vector<float> a = random_floats(m * k, 1), b = random_floats(k * n, 2), c(m * n);
    a[2 * k + 4] = std::numeric_limits<float>::quiet_NaN();
    a[5 * k + 8] = std::numeric_limits<float>::infinity();
    std::fill_n(a.begin() + 7 * k, k, 0.0f);
    std::vector<float> packed(matmul_packed_floats(kernel, n, k));
    kernel.pack(b.data(), n, 1, k, n, packed.data(), 0, matmul_panels(kernel, n));
    for (int activation = 0; activation <= int(Activation::kSigmoid); ++activation) {
      MatmulArgs args{.a = a.data(),
                      .lda = k,
                      .packed_b = packed.data(),
                      .c = c.data(),
                      .ldc = n,
                      .m = m,
                      .n = n,
                      .k = k};
      args.activation = static_cast<Activation>(activation);
      kernel.run(args, 0, m, 0, matmul_panels(kernel, n));
      for (std::size_t i = 0; i < m; ++i) {
        for (std::size_t j = 0; j < n; ++j) {
          const float x = c[i * n + j];
          if (i == 2) {
            EXPECT_TRUE(std::isnan(x)) << activation;
          } else if (i == 5) {
            const double want = activate(b[8 * n + j] > 0 ? INFINITY : -INFINITY, args.activation);
            EXPECT_TRUE(std::isnan(want) ? std::isnan(x) : x == float(want))
                << activation << ": " << x << " for " << want;
          } else if (i == 7) {
            EXPECT_EQ(x, activation == int(Activation::kSigmoid) ? 0.5f : 0.0f);
          } else {
            EXPECT_TRUE(std::isfinite(x));
          }
        }
      }
    }
  });
}

TEST(Matmul, PackingLaysColumnsInZeroFilledPanels) {
  each([](const MatmulKernel& kernel) {
    constexpr std::size_t k = 21;
    const std::size_t n = 2 * kernel.panel + 3, panels = matmul_panels(kernel, n);
    ASSERT_EQ(panels, 3u);
    const std::vector<float> b = random_floats(k * n, 2);
    for (const bool transposed : {false, true}) {
      const std::size_t row = transposed ? 1 : n, column = transposed ? k : 1;
      std::vector<float> packed(panels * kernel.panel * k, NAN);
      kernel.pack(b.data(), row, column, k, n, packed.data(), 0, panels);
      for (std::size_t j = 0; j < panels * kernel.panel; ++j) {
        for (std::size_t p = 0; p < k; ++p) {
          const std::size_t at = (j / kernel.panel * k + p) * kernel.panel + j % kernel.panel;
          ASSERT_EQ(packed[at], j < n ? b[p * row + j * column] : 0.0f);
        }
      }
    }
  });
}

TEST(Matmul, ChoiceFollowsTheInstructionSets) {
  EXPECT_EQ(choose_matmul(0).name, "matmul_f32_4x8_portable");
  EXPECT_EQ(choose_matmul(0).panel, 8u);
#if defined(__x86_64__)
  EXPECT_EQ(choose_matmul(kIsaAvx2).name, "matmul_f32_6x16_avx2");
  EXPECT_EQ(choose_matmul(kIsaAvx2 | kIsaAvx512).name, "matmul_f32_12x32_avx512");
  EXPECT_EQ(choose_matmul(kIsaAvx512).name, "matmul_f32_4x8_portable");
#endif
  EXPECT_EQ(choose_matmul(~IsaMask{0}).name, matmul_kernels().back().name);
}

}  // namespace
}  // namespace octavo::kernels
