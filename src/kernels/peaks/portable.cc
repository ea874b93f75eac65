// Peak loops in plain C++, for what the compiler makes of the baseline instruction set.
#include <cstddef>

namespace octavo::kernels::portable {
namespace {
typedef float Floats __attribute__((vector_size(16)));
typedef int Ints __attribute__((vector_size(16)));
typedef unsigned short Shorts __attribute__((vector_size(16)));
constexpr int kChains = 8;
}  // namespace

void peak_fp32(std::size_t steps) noexcept;
void peak_int8(std::size_t steps) noexcept;
void read_bytes(const std::byte* data, std::size_t size) noexcept;

void peak_fp32(std::size_t steps) noexcept {
  Floats acc[kChains], a = {0.5f, 0.5f, 0.5f, 0.5f}, b = {0.25f, 0.25f, 0.25f, 0.25f};
  for (Floats& x : acc) x = b;
  for (std::size_t i = 0; i < steps; ++i) {
#pragma GCC unroll 8
    for (int c = 0; c < kChains; ++c) acc[c] = acc[c] * a + b;
  }
  for (const Floats& x : acc) asm volatile("" : : "m"(x));
}

void peak_int8(std::size_t steps) noexcept {
  // 16-bit products: the baseline has none of bytes.
  Shorts acc[kChains], a = {3, 5, 7, 9, 11, 13, 15, 17};
  for (Shorts& x : acc) x = a;
  for (std::size_t i = 0; i < steps; ++i) {
#pragma GCC unroll 8
    for (int c = 0; c < kChains; ++c) acc[c] = acc[c] * a + a;
  }
  for (const Shorts& x : acc) asm volatile("" : : "m"(x));
}

void read_bytes(const std::byte* data, std::size_t size) noexcept {
  constexpr std::size_t kAhead = 4096, kLine = 64;
  Ints a{}, b{}, c{}, d{};
  for (std::size_t at = 0; at + kLine <= size; at += kLine) {
    __builtin_prefetch(data + at + kAhead);
    const auto* words = reinterpret_cast<const Ints*>(data + at);
    a |= words[0];
    b |= words[1];
    c |= words[2];
    d |= words[3];
  }
  a |= b | c | d;
  asm volatile("" : : "m"(a));
}

}  // namespace octavo::kernels::portable
