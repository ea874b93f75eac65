// Every row of the packed products. int8 without activation: the same bits as int64 sums and one
// float32 rounding an operation, so rows agree bit for bit with each other. bfloat16 and half:
// within (k + 2) u sum |a b| of double sums. OCTAVO_GEMM_SHAPES=200000 sets the number of random
// shapes.
#include "kernels/gemm/gemm.h"

#include <cstdlib>

#include "base/buffer.h"
#include "kernels/gemm/gemm_test_support.h"

namespace octavo::kernels {
namespace {

template <class Body>
void each(Body body) {
  for_each_runnable(gemm_kernels(), body);
}

TEST(Gemm, RowAndColumnTails) {
  each([](const GemmKernel& kernel) {
    for (std::size_t m = 1; m <= 33; ++m) {
      for (std::size_t n = 1; n <= 67; n += 1 + (m + n) % 3) {
        check_gemm(kernel.run, {.type = kernel.type, .m = m, .n = n, .k = 1 + (m * 7 + n) % 70});
      }
    }
  });
}

TEST(Gemm, DepthTails) {
  each([](const GemmKernel& kernel) {
    for (std::size_t k = 1; k <= 200; ++k) {
      GemmCase c{.type = kernel.type, .m = 1 + k % 19, .n = 33, .k = k, .extra = 3};
      c.edge = k % 2 == 0 ? GuardedFloats::Edge::kEnd : GuardedFloats::Edge::kBegin;
      check_gemm(kernel.run, c);
    }
  });
}

TEST(Gemm, BothEndsOfEveryBuffer) {
  each([](const GemmKernel& kernel) {
    for (const auto edge : {GuardedFloats::Edge::kBegin, GuardedFloats::Edge::kEnd}) {
      for (std::size_t m : {1, 5, 15, 16, 17, 31, 32, 33, 47}) {
        for (std::size_t n : {1, 16, 17, 50, 129}) {
          check_gemm(kernel.run, {.type = kernel.type,
                                  .m = m,
                                  .n = n,
                                  .k = 96,
                                  .bias = true,
                                  .residual = true,
                                  .activation = Activation::kRelu,
                                  .edge = edge});
        }
      }
    }
  });
}

TEST(Gemm, Epilogues) {
  each([](const GemmKernel& kernel) {
    for (int activation = 0; activation <= int(Activation::kSigmoid); ++activation) {
      for (int flags = 0; flags < 6; ++flags) {
        GemmCase c{.type = kernel.type, .m = 21, .n = 45, .k = 75, .extra = 5};
        c.bias = flags & 1;
        c.residual = flags >= 2;
        c.in_place = flags >= 4;
        c.activation = static_cast<Activation>(activation);
        check_gemm(kernel.run, c);
        c.m = 64, c.n = 96, c.k = 128;
        check_gemm(kernel.run, c);
      }
    }
  });
}

// Nothing is summed: the bias alone is activated.
TEST(Gemm, GeluOverItsRange) {
  std::vector<float> x{0.0f, -0.0f, 1e-30f, -1e-30f, 88.0f, -88.0f, 1e30f, -1e30f};
  for (float t = -9.0f; t < 9.0f; t += 1.0f / 1024) x.push_back(t);
  for (const float t : {9.0f, 30.0f, 1e4f, 1e30f}) x.insert(x.end(), {t, -t});
  const std::size_t n = x.size();
  x.resize(round_up(n, 16));
  each([&](const GemmKernel& kernel) {
    GemmProblem problem({.type = kernel.type, .m = 1, .n = n, .k = 0});
    std::vector<float> y(n), ones(round_up(n, 16), 1.0f);
    for (const Activation activation : {Activation::kGeluErf, Activation::kGeluTanh}) {
      GemmArgs args = problem.args(y.data());
      if (args.b_scale != nullptr) args.b_scale = ones.data();
      args.bias = x.data();
      args.activation = activation;
      kernel.run(args, 0, 1, 0, problem.groups());
      for (std::size_t j = 0; j < n; ++j) {
        const double t = x[j];
        const double half = activation == Activation::kGeluErf
                                ? std::erf(t / std::sqrt(2.0))
                                : std::tanh(std::sqrt(2 / M_PI) * (t + 0.044715 * t * t * t));
        ASSERT_LE(std::abs(y[j] - 0.5 * t * (1 + half)), 2e-7 * std::abs(t)) << t;
      }
    }
  });
}

TEST(Gemm, RangesOfRowsAndGroups) {
  each([](const GemmKernel& kernel) {
    GemmProblem problem({.type = kernel.type,
                         .m = 70,
                         .n = 183,
                         .k = 65,
                         .extra = 2,
                         .bias = true,
                         .residual = true,
                         .in_place = true});
    for (std::size_t first_row : {0, 16, 48, 64}) {
      for (std::size_t last_row : {1, 16, 17, 23, 50, 64, 69, 70}) {
        if (last_row <= first_row) continue;
        for (std::size_t first_group : {0, 1, 6, 11}) {
          for (std::size_t last_group : {1, 2, 5, 11, 12}) {
            if (last_group <= first_group) continue;
            check_gemm_part(kernel.run, problem, first_row, last_row, first_group, last_group);
          }
        }
      }
    }
    check_gemm_part(kernel.run, problem, 16, 16, 0, 12);
    check_gemm_part(kernel.run, problem, 0, 70, 5, 5);
  });
}

TEST(Gemm, LongDepthAndManyRows) {
  each([](const GemmKernel& kernel) {
    check_gemm(kernel.run, {.type = kernel.type, .m = 203, .n = 40, .k = 100, .residual = true});
    check_gemm(kernel.run, {.type = kernel.type, .m = 20, .n = 150, .k = 3072, .bias = true});
    for (std::size_t k : {255, 256, 257, 511, 513, 8191, 8192, 8193}) {
      check_gemm(kernel.run, {.type = kernel.type, .m = 19, .n = 18, .k = k});
    }
  });
}

TEST(Gemm, NothingToSumGivesTheBias) {
  each([](const GemmKernel& kernel) {
    for (std::size_t m : {1, 20, 40}) {
      check_gemm(kernel.run, {.type = kernel.type, .m = m, .n = 40, .k = 0, .bias = true});
    }
  });
}

TEST(Gemm, LargestSumsThatInt32Holds) {
  for_each_runnable(gemm_kernels(GemmType::kInt8), [](const GemmKernel& kernel) {
    for (std::size_t m : {1, 4, 18}) {
      GemmCase c{.type = kernel.type, .m = m, .n = 5, .k = kMaxInt8K, .extreme = true};
      check_gemm(kernel.run, c);
      c.raw = true;
      check_gemm(kernel.run, c);
    }
  });
}

// All rows against one problem, raw sums and scaled results in turn.
TEST(Gemm, Int8RowsAgreeBitForBitOnRandomShapes) {
  const char* wanted = std::getenv("OCTAVO_GEMM_SHAPES");
  const int shapes = wanted == nullptr ? 2000 : std::atoi(wanted);
  const IsaMask isa = detect_isa();
  std::mt19937 generator(20240817);
  const auto below = [&](std::size_t n) { return generator() % n; };
  for (int shape = 0; shape < shapes; ++shape) {
    GemmCase c{
        .type = GemmType::kInt8, .m = 1 + below(40), .n = 1 + below(60), .k = 1 + below(140)};
    if (below(4) == 0) c.k *= 4;
    c.extra = below(3);
    c.raw = below(2) == 0;
    c.extreme = below(16) == 0;
    c.any = below(8) == 0;
    c.bias = !c.raw && below(2) == 0;
    c.residual = !c.raw && below(2) == 0;
    c.in_place = c.residual && below(2) == 0;
    c.edge = below(2) == 0 ? GuardedFloats::Edge::kEnd : GuardedFloats::Edge::kBegin;
    c.seed = static_cast<std::uint32_t>(generator());
    GemmProblem problem(c);
    std::vector<float> want(c.m * c.n);
    for (std::size_t at = 0; at < want.size(); ++at) {
      want[at] = problem.exact(at / c.n, at % c.n);
    }
    const std::vector<float> old = before(problem);
    for (const GemmKernel& kernel : gemm_kernels(GemmType::kInt8)) {
      if ((kernel.isa & isa) != kernel.isa) continue;
      GuardedFloats out(old, c.edge);
      kernel.run(problem.args(out.data()), 0, c.m, 0, problem.groups());
      for (std::size_t at = 0; at < want.size(); ++at) {
        const float got = out.data()[at / c.n * problem.ldc() + at % c.n];
        ASSERT_TRUE(same_bits(got, want[at]))
            << kernel.name << " gives " << got << " for " << want[at] << " at " << at / c.n << ", "
            << at % c.n << " of m " << c.m << " n " << c.n << " k " << c.k << " seed " << c.seed;
      }
    }
  }
}

TEST(Gemm, SameBitsAloneInABatchAndInAnySplit) {
  each([](const GemmKernel& kernel) {
    constexpr std::size_t m = 115, n = 101, k = 143;
    GemmProblem problem({.type = kernel.type,
                         .m = m,
                         .n = n,
                         .k = k,
                         .bias = true,
                         .residual = true,
                         .activation = Activation::kGeluErf});
    const std::size_t groups = problem.groups(), row_bytes = gemm_row_bytes(kernel.type, k);
    std::vector<float> whole(m * n), split(m * n), alone(n);
    kernel.run(problem.args(whole.data()), 0, m, 0, groups);
    for (std::size_t row = 0, step = 16; row < m; row += step, step = 48 - step) {
      const std::size_t last = std::min(m, row + step);
      kernel.run(problem.args(split.data()), row, last, 3, groups);
      kernel.run(problem.args(split.data()), row, last, 0, 3);
    }
    for (std::size_t i = 0; i < m * n; ++i) ASSERT_TRUE(same_bits(whole[i], split[i])) << i;
    // As the last of 1 to 16 rows, and as the first of a problem of one row.
    for (std::size_t i = 0; i < m; ++i) {
      kernel.run(problem.args(split.data()), i / 16 * 16, i + 1, 0, groups);
      Buffer a(16 * row_bytes);
      for (std::size_t tile = 0; tile < row_bytes / 64; ++tile) {
        std::memcpy(a.data() + tile * 1024, problem.row(i) + tile * 1024, 64);
      }
      GemmArgs args = problem.args(alone.data());
      args.a = a.data();
      if (args.a_scale != nullptr) args.a_scale += i;
      args.residual += i * args.ld_residual;
      args.m = 1;
      kernel.run(args, 0, 1, 0, groups);
      for (std::size_t j = 0; j < n; ++j) {
        ASSERT_TRUE(same_bits(whole[i * n + j], split[i * n + j])) << i << ", " << j;
        ASSERT_TRUE(same_bits(whole[i * n + j], alone[j])) << i << ", " << j;
      }
    }
  });
}

TEST(Gemm, ANanScaleMarksItsRowAlone) {
  for_each_runnable(gemm_kernels(GemmType::kInt8), [](const GemmKernel& kernel) {
    constexpr std::size_t m = 19, n = 37;
    GemmProblem problem({.type = kernel.type, .m = m, .n = n, .k = 70});
    std::vector<float> c(m * n), scale(m, 0.5f);
    scale[4] = std::numeric_limits<float>::quiet_NaN();
    GemmArgs args = problem.args(c.data());
    args.a_scale = scale.data();
    kernel.run(args, 0, m, 0, problem.groups());
    for (std::size_t i = 0; i < m * n; ++i) EXPECT_EQ(std::isnan(c[i]), i / n == 4) << i;
  });
}

TEST(Gemm, InfinitiesReachTheirRowAndColumnAlone) {
  each([](const GemmKernel& kernel) {
    if (kernel.type == GemmType::kInt8) return;
    constexpr std::size_t m = 18, n = 20, k = 40;
    GemmProblem problem({.type = kernel.type, .m = m, .n = n, .k = k});
    const std::uint16_t infinity = kernel.type == GemmType::kBf16 ? 0x7f80 : 0x7c00;
    std::memcpy(const_cast<std::byte*>(problem.row(17)) + 6, &infinity, 2);
    std::vector<float> c(m * n);
    kernel.run(problem.args(c.data()), 0, m, 0, problem.groups());
    for (std::size_t i = 0; i < m * n; ++i) EXPECT_EQ(std::isfinite(c[i]), i / n != 17) << i;
  });
}

TEST(Gemm, PackedBytesAreRoundedAndSummedPerColumn) {
  constexpr std::size_t k = 131, n = 37;
  std::vector<float> b = random_floats(k * n, 3, 5.0f);
  for (std::size_t p = 0; p < k; ++p) b[p * n + 9] = 0.0f;
  for (const bool transposed : {false, true}) {
    const GemmWeights weights{.b = b.data(),
                              .row_stride = transposed ? 1 : n,
                              .column_stride = transposed ? k : 1,
                              .k = k,
                              .n = n};
    const auto at = [&](std::size_t p, std::size_t j) {
      return j >= n || p >= k ? 0.0f : b[p * weights.row_stride + j * weights.column_stride];
    };
    Buffer packed(gemm_packed_bytes(GemmType::kInt8, n, k)),
        bf16(gemm_packed_bytes(GemmType::kBf16, n, k)),
        fp16(gemm_packed_bytes(GemmType::kFp16, n, k));
    std::vector<float> scale(48, -1.0f);
    std::vector<std::int32_t> sum(48, -1);
    for (std::size_t group : {2, 0, 1}) {
      gemm_pack_int8(weights, group, group + 1, packed.data(), scale.data(), sum.data());
      gemm_pack_bf16(weights, group, group + 1, bf16.data());
      gemm_pack_fp16(weights, group, group + 1, fp16.data());
    }
    for (std::size_t j = 0; j < 48; ++j) {
      float top = 0;
      for (std::size_t p = 0; p < k; ++p) top = std::max(top, std::abs(at(p, j)));
      ASSERT_EQ(scale[j], top / 127.0f);
      std::int32_t total = 0;
      for (std::size_t p = 0; p < 192; ++p) {
        const std::size_t byte =
            ((j / 16 * 3 + p / 64) * 16 + p % 64 / 4) * 64 + j % 16 * 4 + p % 4;
        const auto q = static_cast<std::int8_t>(packed.data()[byte]);
        total += q;
        ASSERT_LE(std::abs(at(p, j) - double(scale[j]) * q), scale[j] * (0.5 + 0x1p-15))
            << p << ", " << j;
      }
      ASSERT_EQ(sum[j], 128 * total);
      for (std::size_t p = 0; p < 160; ++p) {
        std::uint16_t half;
        const std::size_t byte = ((j / 16 * 5 + p / 32) * 16 + p % 32 / 2) * 64 + j % 16 * 4;
        std::memcpy(&half, bf16.data() + byte + p % 2 * 2, sizeof half);
        ASSERT_LE(std::abs(bf16_to_float(half) - at(p, j)), std::abs(at(p, j)) * 0x1p-8)
            << p << ", " << j;
        std::memcpy(&half, fp16.data() + byte + p % 2 * 2, sizeof half);
        ASSERT_LE(std::abs(half_to_float(half) - at(p, j)), std::abs(at(p, j)) * 0x1p-11 + 0x1p-25)
            << p << ", " << j;
      }
    }
  }
}

TEST(Gemm, ChoiceFollowsTheInstructionSets) {
  EXPECT_EQ(choose_gemm(GemmType::kInt8, 0).name, "gemm_int8_portable");
  EXPECT_EQ(choose_gemm(GemmType::kBf16, 0).name, "gemm_bf16_portable");
  EXPECT_EQ(choose_gemm(GemmType::kFp16, 0).name, "gemm_fp16_portable");
#if defined(__x86_64__)
  EXPECT_EQ(choose_gemm(GemmType::kInt8, kIsaAvx2).name, "gemm_int8_avx2");
  EXPECT_EQ(choose_gemm(GemmType::kInt8, kIsaAvx2 | kIsaAvxVnni).name, "gemm_int8_avx_vnni");
  EXPECT_EQ(choose_gemm(GemmType::kInt8, kIsaAvx512Vnni).name, "gemm_int8_portable");
  EXPECT_EQ(choose_gemm(GemmType::kBf16, kIsaAvx2 | kIsaAvx512).name, "gemm_bf16_avx512");
  EXPECT_EQ(choose_gemm(GemmType::kFp16, kIsaAvx2).name, "gemm_fp16_avx2");
#endif
  for (const GemmType type : {GemmType::kInt8, GemmType::kBf16, GemmType::kFp16}) {
    EXPECT_EQ(choose_gemm(type, ~IsaMask{0}).name, gemm_kernels(type).back().name);
    for (const GemmKernel& kernel : gemm_kernels(type)) EXPECT_EQ(kernel.type, type);
  }
}

}  // namespace
}  // namespace octavo::kernels
