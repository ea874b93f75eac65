// The source of the AMX rows on emulated tiles, which runs on any machine: blocks, tails, tile
// configurations and the epilogue. int8 bit for bit against the exact sums; bfloat16 within its
// bound. The hardware rows are tested with all others in gemm_test.cc.
#include "kernels/simd/portable.h"
//
#include <cstdlib>

#include "kernels/gemm/amx.inl.h"
#include "kernels/gemm/gemm_test_support.h"
#include "kernels/gemm/tiles_emulated.h"

namespace octavo::kernels {
namespace {

template <GemmType kType>
void run_emulated(const GemmArgs& args, std::size_t first_row, std::size_t last_row,
                  std::size_t first_group, std::size_t last_group) {
  AmxGemm<EmulatedTiles, kType>(args).run(first_row, last_row, first_group, last_group);
  EXPECT_FALSE(EmulatedTiles::state().configured) << "tiles are kept after a run";
}

GemmRun emulated(GemmType type) {
  return type == GemmType::kInt8 ? run_emulated<GemmType::kInt8> : run_emulated<GemmType::kBf16>;
}

class Amx : public testing::TestWithParam<GemmType> {
 protected:
  GemmType type() const { return GetParam(); }
  GemmRun run() const { return emulated(GetParam()); }
};

INSTANTIATE_TEST_SUITE_P(, Amx, testing::Values(GemmType::kInt8, GemmType::kBf16),
                         [](const auto& row) {
                           return row.param == GemmType::kInt8 ? "Int8" : "Bf16";
                         });

TEST_P(Amx, RowAndColumnTails) {
  for (std::size_t m = 1; m <= 50; ++m) {
    for (std::size_t n = 1 + m % 5; n <= 83; n += 5) {
      check_gemm(run(), {.type = type(), .m = m, .n = n, .k = 1 + (m * 7 + n) % 70});
    }
  }
}

TEST_P(Amx, DepthTails) {
  for (std::size_t k = 0; k <= 200; ++k) {
    GemmCase c{.type = type(), .m = 1 + k % 35, .n = 33, .k = k, .extra = 3, .bias = true};
    c.edge = k % 2 == 0 ? GuardedFloats::Edge::kEnd : GuardedFloats::Edge::kBegin;
    check_gemm(run(), c);
  }
}

TEST_P(Amx, Epilogues) {
  for (int activation = 0; activation <= int(Activation::kSigmoid); ++activation) {
    for (int flags = 0; flags < 6; ++flags) {
      GemmCase c{.type = type(), .m = 53, .n = 77, .k = 75, .extra = 5};
      c.bias = flags & 1;
      c.residual = flags >= 2;
      c.in_place = flags >= 4;
      c.activation = static_cast<Activation>(activation);
      check_gemm(run(), c);
    }
  }
}

TEST_P(Amx, RangesOfRowsAndGroups) {
  GemmProblem problem({.type = type(),
                       .m = 70,
                       .n = 183,
                       .k = 65,
                       .extra = 2,
                       .bias = true,
                       .residual = true,
                       .in_place = true});
  for (std::size_t first_row : {0, 16, 48, 64}) {
    for (std::size_t last_row : {16, 17, 23, 50, 64, 70}) {
      if (last_row <= first_row) continue;
      for (std::size_t first_group : {0, 1, 6, 11}) {
        for (std::size_t last_group : {1, 5, 11, 12}) {
          if (last_group <= first_group) continue;
          check_gemm_part(run(), problem, first_row, last_row, first_group, last_group);
        }
      }
    }
  }
  check_gemm_part(run(), problem, 16, 16, 0, 12);
  check_gemm_part(run(), problem, 0, 70, 5, 5);
}

TEST_P(Amx, SeveralSlabsOfWeights) {
  const std::size_t k = 4096, group_bytes = gemm_tiles(type(), k) * kTileSize;
  const std::size_t groups = kTileSlabBytes / group_bytes + 5;
  check_gemm(run(), {.type = type(), .m = 37, .n = 16 * groups - 3, .k = k, .residual = true});
}

TEST_P(Amx, SameBitsAloneInABatchAndInAnySplit) {
  constexpr std::size_t m = 83, n = 101, k = 143;
  GemmProblem problem({.type = type(), .m = m, .n = n, .k = k, .activation = Activation::kTanh});
  const std::size_t groups = problem.groups();
  std::vector<float> whole(m * n), part(m * n);
  run()(problem.args(whole.data()), 0, m, 0, groups);
  for (std::size_t i = 0; i < m; ++i) {  // as the last of 1 to 48 rows
    const std::size_t first = (i / 16 - std::min<std::size_t>(i / 16, i % 3)) * 16;
    const std::size_t split = 1 + i % (groups - 1);
    run()(problem.args(part.data()), first, i + 1, split, groups);
    run()(problem.args(part.data()), first, i + 1, 0, split);
    for (std::size_t j = 0; j < n; ++j) {
      ASSERT_TRUE(same_bits(whole[i * n + j], part[i * n + j])) << i << ", " << j;
    }
  }
}

TEST_P(Amx, TilesAreConfiguredAgainOnlyWhenRowsChange) {
  const auto configures = [&](std::size_t m) {
    GemmProblem problem({.type = type(), .m = m, .n = 160, .k = 64});
    std::vector<float> c(m * 160);
    const std::size_t before = EmulatedTiles::state().configures;
    run()(problem.args(c.data()), 0, m, 0, 10);
    return EmulatedTiles::state().configures - before;
  };
  EXPECT_EQ(configures(128), 1u);
  EXPECT_EQ(configures(112), 1u);
  EXPECT_EQ(configures(100), 2u);
  EXPECT_EQ(configures(120), 2u);
  EXPECT_EQ(configures(9), 1u);
}

TEST_P(Amx, EveryTileProductIsNeeded) {
  const auto dots = [&](std::size_t m, std::size_t n, std::size_t k) {
    GemmProblem problem({.type = type(), .m = m, .n = n, .k = k});
    std::vector<float> c(m * n);
    const std::size_t before = EmulatedTiles::state().dots;
    run()(problem.args(c.data()), 0, m, 0, problem.groups());
    return EmulatedTiles::state().dots - before;
  };
  for (std::size_t m : {1, 16, 17, 32, 33, 80}) {
    for (std::size_t n : {16, 48, 80}) {
      EXPECT_EQ(dots(m, n, 200), (m + 15) / 16 * (n / 16) * gemm_tiles(type(), 200));
    }
  }
}

// With OCTAVO_GEMM_SHAPES=200000 as many random shapes.
TEST(AmxInt8, BitForBitOnRandomShapes) {
  const char* wanted = std::getenv("OCTAVO_GEMM_SHAPES");
  const int shapes = wanted == nullptr ? 2000 : std::atoi(wanted);
  std::mt19937 generator(20240818);
  const auto below = [&](std::size_t n) { return generator() % n; };
  for (int shape = 0; shape < shapes; ++shape) {
    GemmCase c{
        .type = GemmType::kInt8, .m = 1 + below(70), .n = 1 + below(90), .k = 1 + below(200)};
    c.raw = below(2) == 0;
    c.extreme = below(16) == 0;
    c.bias = !c.raw && below(2) == 0;
    c.residual = !c.raw && below(2) == 0;
    c.in_place = c.residual && below(2) == 0;
    c.edge = below(2) == 0 ? GuardedFloats::Edge::kEnd : GuardedFloats::Edge::kBegin;
    c.seed = static_cast<std::uint32_t>(generator());
    check_gemm(run_emulated<GemmType::kInt8>, c);
    if (testing::Test::HasFailure()) return;
  }
}

TEST(EmulatedTiles, RefuseWhatTheHardwareRefuses) {
  EmulatedTiles::release();
  EXPECT_THROW(EmulatedTiles::zero<0>(), std::logic_error);
  TileConfig config;
  config.rows[9] = 1;
  EXPECT_THROW(EmulatedTiles::configure(config), std::logic_error);
  config = {};
  config.rows[2] = 17;
  EXPECT_THROW(EmulatedTiles::configure(config), std::logic_error);
  config.rows[2] = 16, config.palette = 2;
  EXPECT_THROW(EmulatedTiles::configure(config), std::logic_error);
}

TEST(EmulatedTiles, ProductsOfBf16FlushDenormalsAndSumEvenAndOddApart) {
  TileConfig config;
  config.rows[0] = config.rows[4] = 1;
  EmulatedTiles::configure(config);
  std::uint16_t a[32] = {}, b[16][32] = {};
  float c[16];
  const auto product = [&] {
    EmulatedTiles::load<4>(a, 64);
    EmulatedTiles::load<5>(b, 64);
    EmulatedTiles::zero<0>();
    EmulatedTiles::dot_bf16<0, 4, 5>();
    EmulatedTiles::store<0>(c, 64);
  };
  const std::uint16_t one = 0x3f80, two_to_the_24 = 0x4b80, denormal = 0x0040, tiny = 0x0080;
  // Even sum 2^24, odd sum 1 + 1: in one chain the ones would be lost one by one.
  a[0] = two_to_the_24, b[0][0] = one;
  a[1] = one, b[0][1] = one;
  a[3] = one, b[1][1] = one;
  product();
  EXPECT_EQ(c[0], 0x1p24f + 2.0f);
  EXPECT_EQ(c[1], 0.0f);
  std::memset(a, 0, sizeof a);
  std::memset(b, 0, sizeof b);
  a[0] = denormal, b[0][0] = two_to_the_24;  // an input
  a[1] = tiny, b[0][1] = 0x3f00;             // a result, of 2^-126 / 2
  product();
  EXPECT_EQ(c[0], 0.0f);
  EmulatedTiles::release();
}

}  // namespace
}  // namespace octavo::kernels
