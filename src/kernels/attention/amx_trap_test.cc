// The AMX rows as compiled, on a CPU without AMX (gemm/amx_trap_support.h): int8 bit for bit what
// AVX-512 VNNI gives, bfloat16 within its bound.
#if defined(__x86_64__) && defined(__linux__)
#include "kernels/attention/attention_test_support.h"
#include "kernels/gemm/amx_trap_support.h"

namespace octavo::kernels {
namespace {

const AttentionKernel& row_named(std::string_view name) {
  for (const AttentionKernel& row : attention_kernels()) {
    if (row.name == name) return row;
  }
  throw std::logic_error("no such row");
}

class AttentionAmxTrap : public AmxTrapTest {};

TEST_F(AttentionAmxTrap, Int8IsThatOfVnniBitForBit) {
  const AttentionKernel &amx = row_named("attention_int8_amx"),
                        &vnni = row_named("attention_int8_avx512_vnni");
  std::mt19937 generator(11);
  const auto below = [&](std::size_t n) { return generator() % n; };
  for (int shape = 0; shape < 150; ++shape) {
    AttentionCase c{.tokens = 1 + below(170), .head_size = 1 + below(130)};
    if (below(2) == 0) c.window = below(80);
    if (below(3) == 0) c.radius = 1 + below(40);
    c.extra = below(3);
    check_same_bits(amx, vnni, c);
  }
  check_same_bits(amx, vnni, {.tokens = 512, .head_size = 64});
}

TEST_F(AttentionAmxTrap, Int8IsInItsBound) {
  for (std::size_t size : {32, 64, 80, 96, 128}) {
    check_attention(row_named("attention_int8_amx"), {.tokens = 77, .head_size = size});
  }
}

TEST_F(AttentionAmxTrap, Bf16IsInItsBound) {
  const AttentionKernel& amx = row_named("attention_bf16_amx");
  for (std::size_t tokens = 1; tokens <= 70; tokens += 3) {
    check_attention(amx, {.tokens = tokens, .head_size = 64, .extra = tokens % 5});
  }
  for (std::size_t size = 1; size <= 130; ++size) {
    check_attention(amx, {.tokens = 1 + size % 53, .head_size = size});
  }
  for (std::size_t window : {0, 5, 33, 64}) {
    check_attention(amx, {.tokens = 150, .head_size = 80, .window = window, .radius = 12});
  }
}

TEST_F(AttentionAmxTrap, TheSequenceAloneMatters) {
  for (const char* name : {"attention_int8_amx", "attention_bf16_amx"}) {
    SCOPED_TRACE(name);
    check_same_bits_whatever_the_strides(row_named(name));
    check_masked_keys(row_named(name));
    check_nan_in_a_query(row_named(name));
  }
}

}  // namespace
}  // namespace octavo::kernels
#endif
