// Dot products of quads in plain loops, for tests of the attention on vectors. Include after a Vec
// header.
#pragma once

#include <cstring>

#include "kernels/gemm/layout.h"

namespace octavo::kernels {
namespace {

template <class Element, class SumType>
struct PlainDot {
  using Sum = SumType;
  struct Acc {
    Sum x[kTileRows];
  };
  using A = const std::byte*;
  using B = const std::byte*;
  static constexpr std::size_t kColumns = kTileRows, kAttentionRows = 3, kAttentionGroups = 2;
  static Acc zero() { return {}; }
  static B load_b(const std::byte* p) { return p; }
  static A broadcast_a(const std::byte* p) { return p; }
  static Acc dot(Acc acc, A a, B b) {
    for (std::size_t j = 0; j < kTileRows; ++j) Element::add(acc.x[j], a, b + 4 * j);
    return acc;
  }
  static void store_sums(const Acc* acc, Sum* out) { std::memcpy(out, acc->x, sizeof acc->x); }
};

struct Int8Element {
  static void add(std::int32_t& sum, const std::byte* a, const std::byte* b) {
    for (std::size_t i = 0; i < 4; ++i) {
      sum += std::to_integer<int>(a[i]) * static_cast<std::int8_t>(b[i]);
    }
  }
};
struct Bf16Element {
  static float at(const std::byte* p) {
    std::uint16_t half;
    std::memcpy(&half, p, sizeof half);
    const std::uint32_t bits = static_cast<std::uint32_t>(half) << 16;
    float out;
    std::memcpy(&out, &bits, sizeof out);
    return out;
  }
  static void add(float& sum, const std::byte* a, const std::byte* b) {
    sum += at(a) * at(b);
    sum += at(a + 2) * at(b + 2);
  }
};

using PlainInt8 = PlainDot<Int8Element, std::int32_t>;
using PlainBf16 = PlainDot<Bf16Element, float>;

}  // namespace
}  // namespace octavo::kernels
