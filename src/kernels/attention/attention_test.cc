// Every attention row (attention_test_support.h).
#include "kernels/attention/attention_test_support.h"

namespace octavo::kernels {
namespace {

template <class Body>
void each(Body body) {
  for_each_runnable(attention_kernels(), body);
}

TEST(Attention, EveryLength) {
  each([](const AttentionKernel& kernel) {
    for (std::size_t tokens = 1; tokens <= 100; ++tokens) {
      check_attention(kernel, {.tokens = tokens, .head_size = 32, .extra = tokens % 5});
    }
    check_attention(kernel, {.tokens = 513, .head_size = 64});
  });
}

TEST(Attention, EveryHeadSize) {
  each([](const AttentionKernel& kernel) {
    for (std::size_t size = 1; size <= 130; ++size) {
      check_attention(kernel, {.tokens = 1 + size % 53, .head_size = size});
    }
  });
}

TEST(Attention, Windows) {
  each([](const AttentionKernel& kernel) {
    for (std::size_t window : {0, 1, 2, 7, 16, 31, 64, 90, 200}) {
      for (std::size_t tokens : {1, 23, 24, 25, 97, 150}) {
        check_attention(kernel, {.tokens = tokens, .head_size = 20, .window = window});
      }
    }
    check_attention(kernel, {.tokens = 700, .head_size = 64, .window = 64});
  });
}

TEST(Attention, RelativeBias) {
  each([](const AttentionKernel& kernel) {
    for (std::size_t radius : {1, 3, 15, 64, 127}) {
      for (std::size_t tokens : {1, 5, 40, 131}) {
        check_attention(kernel, {.tokens = tokens, .head_size = 16, .radius = radius});
        check_attention(kernel, {.tokens = tokens, .head_size = 16, .window = 9, .radius = radius});
      }
    }
  });
}

TEST(Attention, LargeScores) {
  each([](const AttentionKernel& kernel) {
    check_attention(kernel, {.tokens = 60, .head_size = 64, .magnitude = 30.0f});
  });
}

TEST(Attention, LongSequence) {
  each([](const AttentionKernel& kernel) {
    check_attention(kernel, {.tokens = 2049, .head_size = 16});
    check_attention(kernel, {.tokens = 8192, .head_size = 8, .window = 128});
  });
}

TEST(Attention, SameBitsWhateverTheStridesAndTheScratch) {
  each(check_same_bits_whatever_the_strides);
}

TEST(Attention, MaskedKeysHaveProbabilityZero) { each(check_masked_keys); }

TEST(Attention, NanInAQueryStaysInItsRow) { each(check_nan_in_a_query); }

TEST(Attention, PoisonInKeysAndValues) { each(check_poison_in_keys_and_values); }

TEST(Attention, NegativeScale) {
  each([](const AttentionKernel& kernel) {
    check_attention(kernel, {.tokens = 60, .head_size = 64, .negative_scale = true});
    check_attention(
        kernel, {.tokens = 60, .head_size = 64, .window = 9, .radius = 5, .negative_scale = true});
  });
}

TEST(Attention, ScratchGrowsWithTheSequence) { each(check_scratch_grows); }

TEST(Attention, ChoiceFollowsTheInstructionSets) {
  using enum AttentionType;
  EXPECT_EQ(choose_attention(kFloat32, 0).name, "attention_f32_portable");
  EXPECT_EQ(choose_attention(kInt8, 0).name, "attention_f32_portable");
  EXPECT_EQ(choose_attention(kBf16, 0).name, "attention_f32_portable");
#if defined(__x86_64__)
  constexpr IsaMask kAll512 = kIsaAvx2 | kIsaAvx512 | kIsaAvx512Vnni;
  EXPECT_EQ(choose_attention(kFloat32, kIsaAvx2).name, "attention_f32_avx2");
  EXPECT_EQ(choose_attention(kFloat32, kAll512).name, "attention_f32_avx512");
  EXPECT_EQ(choose_attention(kInt8, kIsaAvx2 | kIsaAvx512).name, "attention_f32_avx512");
  EXPECT_EQ(choose_attention(kInt8, kIsaAvx2 | kIsaAvxVnni).name, "attention_int8_avx_vnni");
  EXPECT_EQ(choose_attention(kInt8, kAll512).name, "attention_int8_avx512_vnni");
  EXPECT_EQ(choose_attention(kBf16, kAll512).name, "attention_f32_avx512");
  constexpr IsaMask kZen4 = kAll512 | kIsaAvx512Bf16;
  EXPECT_EQ(choose_attention(kBf16, kZen4).name, "attention_bf16_avx512_bf16");
  constexpr IsaMask kAmx = kZen4 | kIsaAmxInt8 | kIsaAmxBf16;
  EXPECT_EQ(choose_attention(kFloat32, kAmx).name, "attention_f32_avx512");
  EXPECT_EQ(choose_attention(kInt8, kAmx).name, "attention_int8_amx");
  EXPECT_EQ(choose_attention(kBf16, kAmx).name, "attention_bf16_amx");
#endif
}

}  // namespace
}  // namespace octavo::kernels
