// Vec for any architecture: four floats in a compiler vector. Without fused multiply-add: fma(a, b,
// c) rounds twice. All three headers of this folder offer the same names; see avx512.h for the
// list.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/half.h"

#define OCTAVO_INLINE inline __attribute__((always_inline))
#define OCTAVO_VEC_PORTABLE 1

namespace octavo::kernels {
namespace {

typedef float Vec __attribute__((vector_size(16)));
typedef std::int32_t IntVec __attribute__((vector_size(16)));
using Mask = IntVec;
typedef float UnalignedVec __attribute__((vector_size(16), aligned(4), may_alias));

constexpr std::size_t kWidth = 4;
constexpr std::size_t kBlockRows = 4;

OCTAVO_INLINE Vec set(float x) { return Vec{x, x, x, x}; }
OCTAVO_INLINE Vec broadcast(const float* p) { return set(*p); }
OCTAVO_INLINE Vec load(const float* p) { return *reinterpret_cast<const UnalignedVec*>(p); }
OCTAVO_INLINE void store(float* p, Vec x) { *reinterpret_cast<UnalignedVec*>(p) = x; }
OCTAVO_INLINE Vec load_partial(const float* p, std::size_t n) {
  Vec x = set(0.0f);
  for (std::size_t i = 0; i < n; ++i) x[i] = p[i];
  return x;
}
OCTAVO_INLINE void store_partial(float* p, Vec x, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) p[i] = x[i];
}

OCTAVO_INLINE Vec fma(Vec a, Vec b, Vec c) { return a * b + c; }
OCTAVO_INLINE Vec fnma(Vec a, Vec b, Vec c) { return c - a * b; }
OCTAVO_INLINE Mask less(Vec a, Vec b) { return a < b; }
OCTAVO_INLINE Vec select(Mask m, Vec a, Vec b) { return (Vec)((m & (IntVec)a) | (~m & (IntVec)b)); }
OCTAVO_INLINE Vec min(Vec a, Vec b) { return select(a < b, a, b); }
OCTAVO_INLINE Vec max(Vec a, Vec b) { return select(a > b, a, b); }
OCTAVO_INLINE Vec keep_first(Vec x, std::size_t n) {
  const std::int32_t count = static_cast<std::int32_t>(n);
  return (Vec)((IntVec)x & (IntVec{0, 1, 2, 3} < IntVec{count, count, count, count}));
}

OCTAVO_INLINE IntVec sign_bits() { return (IntVec)set(-0.0f); }
OCTAVO_INLINE Vec abs(Vec x) { return (Vec)((IntVec)x & ~sign_bits()); }
OCTAVO_INLINE Vec copy_sign(Vec magnitude, Vec sign) {
  return (Vec)(((IntVec)magnitude & ~sign_bits()) | ((IntVec)sign & sign_bits()));
}
// Valid for |x| < 2^22.
OCTAVO_INLINE Vec round_even(Vec x) { return (x + set(12582912.0f)) - set(12582912.0f); }
// In two steps, so that results below the normal range come out right.
OCTAVO_INLINE Vec scale_exponent(Vec x, Vec n) {
  const IntVec e = __builtin_convertvector(n, IntVec);
  const IntVec half = e >> 1;
  return x * (Vec)((half + 127) << 23) * (Vec)((e - half + 127) << 23);
}

OCTAVO_INLINE Vec floor(Vec x) {
  const Vec whole = round_even(x);
  return whole - select(less(x, whole), set(1.0f), set(0.0f));
}
OCTAVO_INLINE Vec fraction(Vec x) { return x - floor(x); }
OCTAVO_INLINE Vec scale_floor(Vec x, Vec y) { return scale_exponent(x, floor(y)); }

OCTAVO_INLINE Vec load_int(const std::int32_t* p) {
  return __builtin_convertvector(IntVec{p[0], p[1], p[2], p[3]}, Vec);
}
OCTAVO_INLINE Vec load_int(const std::int32_t* p, const std::int32_t* minus) {
  const IntVec x = {p[0] - minus[0], p[1] - minus[1], p[2] - minus[2], p[3] - minus[3]};
  return __builtin_convertvector(x, Vec);
}
OCTAVO_INLINE void store_u8(std::uint8_t* p, Vec x) {
  // A NaN, of a row that is marked by its scale, becomes some byte.
  const Vec rounded = round_even(max(set(-127.0f), min(set(127.0f), x)));
  const IntVec ints = __builtin_convertvector(rounded, IntVec);
  for (std::size_t i = 0; i < kWidth; ++i) p[i] = static_cast<std::uint8_t>(ints[i] + 128);
}
OCTAVO_INLINE void store_u8(std::uint8_t* p, const Vec (&x)[4]) {
  for (std::size_t i = 0; i < 4; ++i) store_u8(p + i * kWidth, x[i]);
}
OCTAVO_INLINE void store_bf16(std::uint16_t* p, Vec x) {
  const IntVec bits = (IntVec)x, odd = bits >> 16 & 1;
  const IntVec nan = ~(x == x);
  const IntVec out = (nan & (bits | 0x400000)) | (~nan & (bits + 0x7fff + odd));
  for (std::size_t i = 0; i < kWidth; ++i) p[i] = static_cast<std::uint16_t>(out[i] >> 16);
}
OCTAVO_INLINE void store_fp16(std::uint16_t* p, Vec x) {
  for (std::size_t i = 0; i < kWidth; ++i) p[i] = float_to_half(x[i]);
}
OCTAVO_INLINE float load_half(const std::byte* p) {
  std::uint16_t half;
  __builtin_memcpy(&half, p, sizeof half);
  return half_to_float(half);
}
OCTAVO_INLINE Vec load_halves(const std::byte* p) {
  return Vec{load_half(p), load_half(p + 2), load_half(p + 4), load_half(p + 6)};
}
struct HalfPairs {
  Vec even, odd;
};
OCTAVO_INLINE HalfPairs load_half_pairs(const std::byte* p) {
  HalfPairs out;
  for (std::size_t i = 0; i < kWidth; ++i) {
    out.even[i] = load_half(p + 4 * i);
    out.odd[i] = load_half(p + 4 * i + 2);
  }
  return out;
}

OCTAVO_INLINE void store_quads(std::byte* p, Vec a, Vec b, Vec c, Vec d) {
  const IntVec rows[] = {__builtin_convertvector(round_even(a), IntVec),
                         __builtin_convertvector(round_even(b), IntVec),
                         __builtin_convertvector(round_even(c), IntVec),
                         __builtin_convertvector(round_even(d), IntVec)};
  for (std::size_t i = 0; i < 4 * kWidth; ++i) p[i] = static_cast<std::byte>(rows[i % 4][i / 4]);
}
OCTAVO_INLINE void store_pairs(std::byte* p, Vec a, Vec b) {
  std::uint16_t low[kWidth], high[kWidth];
  store_bf16(low, a);
  store_bf16(high, b);
  for (std::size_t i = 0; i < kWidth; ++i) {
    __builtin_memcpy(p + 4 * i, low + i, 2);
    __builtin_memcpy(p + 4 * i + 2, high + i, 2);
  }
}
OCTAVO_INLINE void store_u16_halves(std::uint8_t* high, std::uint8_t* low, Vec x) {
  // A NaN, of a row that is marked by its sum, becomes some byte.
  const IntVec ints = __builtin_convertvector(round_even(select(x == x, x, set(0.0f))), IntVec);
  for (std::size_t i = 0; i < kWidth; ++i) {
    high[i] = static_cast<std::uint8_t>(ints[i] >> 8);
    low[i] = static_cast<std::uint8_t>(ints[i]);
  }
}

OCTAVO_INLINE void store_upper_halves(std::uint16_t* p, Vec a, Vec b) {
  const IntVec halves[] = {(IntVec)a >> 16, (IntVec)b >> 16};
  for (std::size_t i = 0; i < 2 * kWidth; ++i) {
    p[i] = static_cast<std::uint16_t>(halves[i / kWidth][i % kWidth]);
  }
}
OCTAVO_INLINE void store_u16_halves(std::uint8_t* high, std::uint8_t* low, const Vec (&x)[4]) {
  for (std::size_t i = 0; i < 4; ++i) store_u16_halves(high + i * kWidth, low + i * kWidth, x[i]);
}

OCTAVO_INLINE float reduce_add(Vec x) { return (x[0] + x[2]) + (x[1] + x[3]); }
OCTAVO_INLINE float reduce_max(Vec x) {
  const float a = x[0] > x[2] ? x[0] : x[2], b = x[1] > x[3] ? x[1] : x[3];
  return a > b ? a : b;
}

// Rows p, p + stride, ... into a 4x4 block whose row i is the i-th column of them.
OCTAVO_INLINE void transpose_block(const float* p, std::size_t stride, float* out,
                                   std::size_t out_stride) {
  for (std::size_t i = 0; i < kWidth; ++i) {
    store(out + i * out_stride, Vec{p[i], p[stride + i], p[2 * stride + i], p[3 * stride + i]});
  }
}

}  // namespace
}  // namespace octavo::kernels

#include "kernels/simd/combine_rows.inl.h"
