// The AMX rows as compiled, on a CPU without AMX (amx_trap_support.h).
#if defined(__x86_64__) && defined(__linux__)
#include "kernels/gemm/amx_trap_support.h"
#include "kernels/gemm/gemm_test_support.h"

namespace octavo::kernels {
namespace {

class AmxTrap : public AmxTrapTest {
 protected:
  static GemmRun run(GemmType type) {
    const GemmKernel& row = gemm_kernels(type).back();
    EXPECT_NE(row.name.find("amx"), std::string_view::npos) << row.name;
    return row.run;
  }
};

TEST_F(AmxTrap, AllTilesAndTails) {
  for (const GemmType type : {GemmType::kInt8, GemmType::kBf16}) {
    for (std::size_t m : {5, 16, 17, 32, 33, 45, 64, 81}) {
      for (std::size_t n : {16, 33, 48, 64, 101}) {
        check_gemm(run(type), {.type = type, .m = m, .n = n, .k = 13 * m % 150 + 1, .bias = true});
      }
    }
  }
}

TEST_F(AmxTrap, SameBitsAloneAndInABatch) {
  GemmProblem problem({.type = GemmType::kBf16, .m = 55, .n = 70, .k = 99});
  std::vector<float> whole(55 * 70), part(55 * 70);
  run(GemmType::kBf16)(problem.args(whole.data()), 0, 55, 0, 5);
  for (std::size_t i = 0; i < 55; ++i) {
    run(GemmType::kBf16)(problem.args(part.data()), i / 16 * 16, i + 1, 0, 5);
    for (std::size_t j = 0; j < 70; ++j) {
      ASSERT_TRUE(same_bits(whole[i * 70 + j], part[i * 70 + j])) << i << ", " << j;
    }
  }
}

TEST_F(AmxTrap, RandomShapes) {
  std::mt19937 generator(7);
  const auto below = [&](std::size_t n) { return generator() % n; };
  for (int shape = 0; shape < 100; ++shape) {
    GemmCase c{.type = GemmType::kInt8, .m = 1 + below(80), .n = 1 + below(90), .k = below(300)};
    c.residual = below(2) == 0;
    c.seed = static_cast<std::uint32_t>(generator());
    check_gemm(run(c.type), c);
  }
}

}  // namespace
}  // namespace octavo::kernels
#endif
