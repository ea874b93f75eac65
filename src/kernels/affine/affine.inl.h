// The one source of affine quantisation: loops that the compiler makes wide. Include after one of
// the Vec headers.
#pragma once

#include "kernels/affine/affine.h"
#include "kernels/gemm/layout.h"

namespace octavo::kernels {
namespace {

// Steps above zero that a byte can say, which are integers: cut before rounding or after, the
// result is the same.
struct Limits {
  float low, high, zero;
  explicit Limits(Steps steps)
      : low(static_cast<float>((steps.is_signed ? -128 : 0) - steps.zero)),
        high(static_cast<float>((steps.is_signed ? 127 : 255) - steps.zero)),
        zero(static_cast<float>(-steps.zero)) {}
};

OCTAVO_INLINE bool find_range(const float* x, std::size_t count, float* low, float* high) {
  const Vec none = set(0.0f);
  Vec least = none, most = none, bad = none;
  std::size_t i = 0;
  for (; i + kWidth <= count; i += kWidth) {
    const Vec v = load(x + i);
    least = max(none - v, least);
    most = max(v, most);
    bad += v * none;
  }
  if (i < count) {
    const Vec v = load_partial(x + i, count - i);
    least = max(none - v, least);
    most = max(v, most);
    bad += v * none;
  }
  *low = -reduce_max(least);
  *high = reduce_max(most);
  return reduce_add(bad) == 0.0f;
}

// Adding 1.5 * 2^23, or 2^52 in double, rounds what is small to the nearest even integer.
OCTAVO_INLINE void quantize_steps(const float* __restrict x, std::size_t count, float scale,
                                  Steps steps, std::uint8_t* __restrict y) {
  const Limits limits(steps);
  const std::int32_t zero = steps.zero;
  for (std::size_t i = 0; i < count; ++i) {
    float q = x[i] / scale;
    q = q == q ? q : limits.zero;
    q = q > limits.low ? q : limits.low;
    q = q < limits.high ? q : limits.high;
    q = (q + 12582912.0f) - 12582912.0f;
    y[i] = static_cast<std::uint8_t>(static_cast<std::int32_t>(q) + zero);
  }
}

OCTAVO_INLINE void dequantize_steps(const std::uint8_t* __restrict x, std::size_t count,
                                    float scale, Steps steps, float* __restrict y) {
  if (steps.is_signed) {
    const auto* bytes = reinterpret_cast<const std::int8_t*>(x);
    for (std::size_t i = 0; i < count; ++i) {
      y[i] = static_cast<float>(std::int32_t{bytes[i]} - steps.zero) * scale;
    }
    return;
  }
  for (std::size_t i = 0; i < count; ++i) {
    y[i] = static_cast<float>(std::int32_t{x[i]} - steps.zero) * scale;
  }
}

OCTAVO_INLINE void collect_sums(const float* __restrict c, std::size_t count, bool add,
                                std::int32_t* __restrict sums) {
  if (!add) {
    for (std::size_t j = 0; j < count; ++j) sums[j] = static_cast<std::int32_t>(c[j]);
    return;
  }
  for (std::size_t j = 0; j < count; ++j) {
    sums[j] =
        static_cast<std::int32_t>(static_cast<std::uint32_t>(sums[j]) +
                                  static_cast<std::uint32_t>(static_cast<std::int32_t>(c[j])));
  }
}

OCTAVO_INLINE std::int32_t corrected(const SumsArgs& args, std::size_t j) {
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(args.sums[j]) + args.right[j] -
                                   args.row * args.left[j]);
}

OCTAVO_INLINE void correct_sums(const SumsArgs& given, std::int32_t* __restrict y) {
  const SumsArgs args = given;
  for (std::size_t j = 0; j < args.count; ++j) y[j] = corrected(args, j);
}

OCTAVO_INLINE void requantize_sums(const SumsArgs& given, const double* __restrict factor,
                                   Steps steps, std::uint8_t* __restrict y) {
  const SumsArgs args = given;
  const Limits limits(steps);
  const double low = limits.low, high = limits.high, none = limits.zero;
  const std::int32_t zero = steps.zero;
  for (std::size_t j = 0; j < args.count; ++j) {
    double q = static_cast<double>(corrected(args, j)) * factor[j];
    q = q == q ? q : none;
    q = q > low ? q : low;
    q = q < high ? q : high;
    q = (q + 6755399441055744.0) - 6755399441055744.0;
    y[j] = static_cast<std::uint8_t>(static_cast<std::int32_t>(q) + zero);
  }
}

OCTAVO_INLINE void widen_sums(const SumsArgs& given, const float* __restrict factor,
                              const float* __restrict bias, float* __restrict y) {
  const SumsArgs args = given;
  for (std::size_t j = 0; j < args.count; ++j) {
    y[j] = static_cast<float>(corrected(args, j)) * factor[j] + bias[j];
  }
}

OCTAVO_INLINE std::uint32_t tile_bytes(const std::uint8_t* __restrict x, std::size_t count,
                                       std::uint8_t flip, std::byte* __restrict tiles) {
  std::uint32_t sum = 0;
  for (std::size_t p = 0; p < count; p += kTileBytes, tiles += kTileSize) {
    auto* to = reinterpret_cast<std::uint8_t*>(tiles);
    const std::size_t width = count - p < kTileBytes ? count - p : kTileBytes;
    if (width == kTileBytes) {
      for (std::size_t t = 0; t < kTileBytes; ++t) {
        to[t] = x[p + t] ^ flip;
        sum += to[t];
      }
      continue;
    }
    for (std::size_t t = 0; t < kTileBytes; ++t) {
      to[t] = t < width ? x[p + t] ^ flip : 0;
      sum += to[t];
    }
  }
  return sum;
}

}  // namespace
}  // namespace octavo::kernels

// Defines the functions that kernels.inc names, in octavo::kernels::isa.
#define OCTAVO_DEFINE_AFFINE(isa)                                                                 \
  namespace octavo::kernels::isa {                                                                \
  bool affine_range(const float* x, std::size_t count, float* low, float* high) noexcept {        \
    return find_range(x, count, low, high);                                                       \
  }                                                                                               \
  void affine_quantize(const float* x, std::size_t count, float scale, Steps steps,               \
                       std::uint8_t* y) noexcept {                                                \
    quantize_steps(x, count, scale, steps, y);                                                    \
  }                                                                                               \
  void affine_dequantize(const std::uint8_t* x, std::size_t count, float scale, Steps steps,      \
                         float* y) noexcept {                                                     \
    dequantize_steps(x, count, scale, steps, y);                                                  \
  }                                                                                               \
  void affine_collect(const float* c, std::size_t count, bool add, std::int32_t* sums) noexcept { \
    collect_sums(c, count, add, sums);                                                            \
  }                                                                                               \
  void affine_correct(const SumsArgs& args, std::int32_t* y) noexcept { correct_sums(args, y); }  \
  void affine_requantize(const SumsArgs& args, const double* factor, Steps steps,                 \
                         std::uint8_t* y) noexcept {                                              \
    requantize_sums(args, factor, steps, y);                                                      \
  }                                                                                               \
  void affine_widen(const SumsArgs& args, const float* factor, const float* bias,                 \
                    float* y) noexcept {                                                          \
    widen_sums(args, factor, bias, y);                                                            \
  }                                                                                               \
  std::uint32_t affine_tile(const std::uint8_t* x, std::size_t count, std::uint8_t flip,          \
                            std::byte* tiles) noexcept {                                          \
    return tile_bytes(x, count, flip, tiles);                                                     \
  }                                                                                               \
  }
