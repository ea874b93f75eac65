// The sources of the int8 and bfloat16 attention on emulated tiles and on plain dot products, which
// run on any machine. The rows of the table are tested in attention_test.cc.
#include "kernels/simd/portable.h"
//
#include "kernels/attention/attention_bf16.inl.h"
#include "kernels/attention/attention_int8.inl.h"
#include "kernels/attention/attention_test_support.h"
#include "kernels/attention/plain_dot.inl.h"
#include "kernels/attention/tile_products.inl.h"
#include "kernels/gemm/tiles_emulated.h"

OCTAVO_DEFINE_ATTENTION_INT8(plain_int8, VectorProducts<PlainInt8>)
OCTAVO_DEFINE_ATTENTION_INT8(tiles_int8, TileProducts<EmulatedTiles, GemmType::kInt8>)
OCTAVO_DEFINE_ATTENTION_BF16(plain_bf16, VectorProducts<PlainBf16>)
OCTAVO_DEFINE_ATTENTION_BF16(tiles_bf16, TileProducts<EmulatedTiles, GemmType::kBf16>)

namespace octavo::kernels {
#if defined(__x86_64__)
namespace avx2_plain_int8 {  // x86_avx2_attention_rows_test.cc
std::size_t attention_scratch(std::size_t tokens, std::size_t head_size) noexcept;
void attention_run(const AttentionArgs& args) noexcept;
}  // namespace avx2_plain_int8
#endif
namespace {

#define OCTAVO_ROW(type, isa, space) \
  { #space, AttentionType::type, isa, space::attention_scratch, space::attention_run }
constexpr AttentionKernel kRows[] = {
    OCTAVO_ROW(kInt8, 0, plain_int8),
    OCTAVO_ROW(kInt8, 0, tiles_int8),
    OCTAVO_ROW(kBf16, 0, plain_bf16),
    OCTAVO_ROW(kBf16, 0, tiles_bf16),
#if defined(__x86_64__)
    OCTAVO_ROW(kInt8, kIsaAvx2, avx2_plain_int8),
#endif
};
#undef OCTAVO_ROW

class PortableAttention : public testing::TestWithParam<AttentionKernel> {
 protected:
  void SetUp() override {
    const IsaMask missing = GetParam().isa & ~detect_isa();
    if (missing != 0) GTEST_SKIP() << "needs " << isa_name(missing);
  }
  void TearDown() override {
    EXPECT_FALSE(EmulatedTiles::state().configured) << "tiles are kept after a run";
  }
};

INSTANTIATE_TEST_SUITE_P(, PortableAttention, testing::ValuesIn(kRows),
                         [](const auto& row) { return std::string(row.param.name); });

TEST_P(PortableAttention, EveryLength) {
  for (std::size_t tokens = 1; tokens <= 70; ++tokens) {
    check_attention(GetParam(), {.tokens = tokens, .head_size = 32, .extra = tokens % 5});
  }
  check_attention(GetParam(), {.tokens = 161, .head_size = 64});
}

TEST_P(PortableAttention, EveryHeadSize) {
  for (std::size_t size = 1; size <= 130; ++size) {
    check_attention(GetParam(), {.tokens = 1 + size % 53, .head_size = size});
  }
}

TEST_P(PortableAttention, Windows) {
  for (std::size_t window : {0, 1, 7, 16, 31, 64, 200}) {
    for (std::size_t tokens : {1, 32, 33, 48, 97, 150}) {
      check_attention(GetParam(), {.tokens = tokens, .head_size = 20, .window = window});
    }
  }
}

TEST_P(PortableAttention, RelativeBias) {
  for (std::size_t radius : {1, 15, 64}) {
    for (std::size_t tokens : {1, 5, 40, 99}) {
      check_attention(GetParam(), {.tokens = tokens, .head_size = 16, .radius = radius});
      check_attention(GetParam(),
                      {.tokens = tokens, .head_size = 16, .window = 9, .radius = radius});
    }
  }
}

TEST_P(PortableAttention, LargeScores) {
  check_attention(GetParam(), {.tokens = 60, .head_size = 64, .magnitude = 30.0f});
}

TEST_P(PortableAttention, SameBitsWhateverTheStridesAndTheScratch) {
  check_same_bits_whatever_the_strides(GetParam());
}
TEST_P(PortableAttention, MaskedKeysHaveProbabilityZero) { check_masked_keys(GetParam()); }
TEST_P(PortableAttention, ScratchGrowsWithTheSequence) { check_scratch_grows(GetParam()); }
TEST_P(PortableAttention, NanInAQueryStaysInItsRow) { check_nan_in_a_query(GetParam()); }
TEST_P(PortableAttention, PoisonInKeysAndValues) { check_poison_in_keys_and_values(GetParam()); }
TEST_P(PortableAttention, NegativeScale) {
  check_attention(GetParam(), {.tokens = 60, .head_size = 64, .negative_scale = true});
}

TEST(PortableAttentionInt8, TilesAndDotProductsGiveTheSameBits) {
  for (std::size_t tokens : {1, 15, 32, 50, 65, 130}) {
    for (std::size_t window : {std::size_t{3}, std::size_t{40}, kAll}) {
      check_same_bits(kRows[0], kRows[1],
                      {.tokens = tokens, .head_size = 1 + 7 * tokens % 97, .window = window});
    }
  }
}

TEST(PortableAttentionTiles, AreConfiguredOnceACall) {
  const std::size_t before = EmulatedTiles::state().configures;
  check_attention(kRows[3], {.tokens = 100, .head_size = 16});
  EXPECT_EQ(EmulatedTiles::state().configures - before, 1u);
}

}  // namespace
}  // namespace octavo::kernels
