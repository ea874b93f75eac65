// Packed products in plain loops.
#include "kernels/simd/portable.h"
//
#include <cstring>

#include "kernels/gemm/gemm.inl.h"
#include "kernels/gemm/half.inl.h"

namespace octavo::kernels {
namespace {

struct PlainInt8 {
  using Sum = std::int32_t;
  struct Acc {
    std::int32_t x[kTileRows];
  };
  using A = const std::uint8_t*;
  using B = const std::int8_t*;
  static constexpr GemmType kType = GemmType::kInt8;
  static constexpr std::size_t kColumns = kTileRows, kRows = 1, kRegisters = 1;
  OCTAVO_INLINE static Acc zero() { return {}; }
  OCTAVO_INLINE static B load_b(const std::byte* p) { return reinterpret_cast<B>(p); }
  OCTAVO_INLINE static A broadcast_a(const std::byte* p) { return reinterpret_cast<A>(p); }
  OCTAVO_INLINE static Acc dot(Acc acc, A a, B b) {
    for (std::size_t j = 0; j < kTileRows; ++j) {
      for (std::size_t p = 0; p < 4; ++p) acc.x[j] += a[p] * b[4 * j + p];
    }
    return acc;
  }
  OCTAVO_INLINE static void store_sums(const Acc* acc, Sum* out) {
    std::memcpy(out, acc->x, sizeof acc->x);
  }
};

struct PlainBf16 {
  using Sum = float;
  struct Acc {
    float x[kTileRows];
  };
  using A = const std::byte*;
  using B = const std::byte*;
  static constexpr GemmType kType = GemmType::kBf16;
  static constexpr std::size_t kColumns = kTileRows, kRows = 1, kRegisters = 1;
  OCTAVO_INLINE static float widen(const std::byte* p) {
    std::uint16_t half;
    std::memcpy(&half, p, sizeof half);
    const std::uint32_t bits = static_cast<std::uint32_t>(half) << 16;
    float out;
    std::memcpy(&out, &bits, sizeof out);
    return out;
  }
  OCTAVO_INLINE static Acc zero() { return {}; }
  OCTAVO_INLINE static B load_b(const std::byte* p) { return p; }
  OCTAVO_INLINE static A broadcast_a(const std::byte* p) { return p; }
  OCTAVO_INLINE static Acc dot(Acc acc, A a, B b) {
    const float low = widen(a), high = widen(a + 2);
    for (std::size_t j = 0; j < kTileRows; ++j) {
      acc.x[j] += low * widen(b + 4 * j);
      acc.x[j] += high * widen(b + 4 * j + 2);
    }
    return acc;
  }
  OCTAVO_INLINE static void store_sums(const Acc* acc, Sum* out) {
    std::memcpy(out, acc->x, sizeof acc->x);
  }
};

}  // namespace
}  // namespace octavo::kernels

OCTAVO_DEFINE_GEMM(portable_int8, PlainInt8)
OCTAVO_DEFINE_GEMM(portable_bf16, PlainBf16)
OCTAVO_DEFINE_GEMM_HALF(portable_fp16)
