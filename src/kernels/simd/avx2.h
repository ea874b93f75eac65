// Vec for AVX2 with FMA: eight floats. All three headers of this folder offer the same names; see
// avx512.h for the list.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#define OCTAVO_INLINE inline __attribute__((always_inline))
#define OCTAVO_VEC_AVX2 1

namespace octavo::kernels {
namespace {

using Vec = __m256;
using Mask = __m256;

constexpr std::size_t kWidth = 8;
constexpr std::size_t kBlockRows = 6;

OCTAVO_INLINE __m256i first_lanes(std::size_t n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)),
                            _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

OCTAVO_INLINE Vec set(float x) { return _mm256_set1_ps(x); }
OCTAVO_INLINE Vec broadcast(const float* p) { return _mm256_broadcast_ss(p); }
OCTAVO_INLINE Vec load(const float* p) { return _mm256_loadu_ps(p); }
OCTAVO_INLINE void store(float* p, Vec x) { _mm256_storeu_ps(p, x); }
OCTAVO_INLINE Vec load_partial(const float* p, std::size_t n) {
  return _mm256_maskload_ps(p, first_lanes(n));
}
OCTAVO_INLINE void store_partial(float* p, Vec x, std::size_t n) {
  _mm256_maskstore_ps(p, first_lanes(n), x);
}

OCTAVO_INLINE Vec fma(Vec a, Vec b, Vec c) { return _mm256_fmadd_ps(a, b, c); }
OCTAVO_INLINE Vec fnma(Vec a, Vec b, Vec c) { return _mm256_fnmadd_ps(a, b, c); }
OCTAVO_INLINE Mask less(Vec a, Vec b) { return _mm256_cmp_ps(a, b, _CMP_LT_OQ); }
OCTAVO_INLINE Vec select(Mask m, Vec a, Vec b) { return _mm256_blendv_ps(b, a, m); }
OCTAVO_INLINE Vec min(Vec a, Vec b) { return _mm256_min_ps(a, b); }
OCTAVO_INLINE Vec max(Vec a, Vec b) { return _mm256_max_ps(a, b); }
OCTAVO_INLINE Vec keep_first(Vec x, std::size_t n) {
  return _mm256_and_ps(x, _mm256_castsi256_ps(first_lanes(n)));
}

OCTAVO_INLINE Vec abs(Vec x) { return _mm256_andnot_ps(set(-0.0f), x); }
OCTAVO_INLINE Vec copy_sign(Vec magnitude, Vec sign) {
  return _mm256_or_ps(abs(magnitude), _mm256_and_ps(set(-0.0f), sign));
}
OCTAVO_INLINE Vec round_even(Vec x) {
  return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
// In two steps, so that results below the normal range come out right.
OCTAVO_INLINE Vec scale_exponent(Vec x, Vec n) {
  const __m256i e = _mm256_cvtps_epi32(n);
  const __m256i half = _mm256_srai_epi32(e, 1);
  const __m256i bias = _mm256_set1_epi32(127);
  const __m256i rest = _mm256_sub_epi32(e, half);
  const Vec a = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(half, bias), 23));
  const Vec b = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(rest, bias), 23));
  return _mm256_mul_ps(_mm256_mul_ps(x, a), b);
}

OCTAVO_INLINE Vec fraction(Vec x) { return x - _mm256_floor_ps(x); }
OCTAVO_INLINE Vec scale_floor(Vec x, Vec y) { return scale_exponent(x, _mm256_floor_ps(y)); }

OCTAVO_INLINE __m256i load_ints(const std::int32_t* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}
OCTAVO_INLINE Vec load_int(const std::int32_t* p) { return _mm256_cvtepi32_ps(load_ints(p)); }
OCTAVO_INLINE Vec load_int(const std::int32_t* p, const std::int32_t* minus) {
  return _mm256_cvtepi32_ps(_mm256_sub_epi32(load_ints(p), load_ints(minus)));
}
OCTAVO_INLINE void store_u8(std::uint8_t* p, Vec x) {
  const __m256i ints = _mm256_cvtps_epi32(x);
  const __m128i words =
      _mm_packs_epi32(_mm256_castsi256_si128(ints), _mm256_extracti128_si256(ints, 1));
  const __m128i bytes = _mm_xor_si128(_mm_packs_epi16(words, words), _mm_set1_epi8(-128));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(p), bytes);
}
OCTAVO_INLINE void store_u8(std::uint8_t* p, const Vec (&x)[4]) {
  for (std::size_t i = 0; i < 4; ++i) store_u8(p + i * kWidth, x[i]);
}
OCTAVO_INLINE void store_bf16(std::uint16_t* p, Vec x) {
  const __m256i bits = _mm256_castps_si256(x);
  const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
  const __m256i rounded = _mm256_add_epi32(_mm256_add_epi32(bits, _mm256_set1_epi32(0x7fff)), odd);
  const __m256i quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x400000));
  const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(x, x, _CMP_UNORD_Q));
  const __m256i out = _mm256_srli_epi32(_mm256_blendv_epi8(rounded, quiet, nan), 16);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p),
                   _mm_packus_epi32(_mm256_castsi256_si128(out), _mm256_extracti128_si256(out, 1)));
}
OCTAVO_INLINE void store_fp16(std::uint16_t* p, Vec x) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p),
                   _mm256_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
OCTAVO_INLINE Vec load_halves(const std::byte* p) {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
struct HalfPairs {
  Vec even, odd;
};
OCTAVO_INLINE HalfPairs load_half_pairs(const std::byte* p) {
  const __m256i pairs = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  const __m256i even = _mm256_and_si256(pairs, _mm256_set1_epi32(0xffff));
  const __m256i halves =
      _mm256_permute4x64_epi64(_mm256_packus_epi32(even, _mm256_srli_epi32(pairs, 16)), 0xd8);
  return {_mm256_cvtph_ps(_mm256_castsi256_si128(halves)),
          _mm256_cvtph_ps(_mm256_extracti128_si256(halves, 1))};
}

OCTAVO_INLINE void store_quads(std::byte* p, Vec a, Vec b, Vec c, Vec d) {
  const __m256i low = _mm256_set1_epi32(0xff);
  const auto byte = [low](Vec x) { return _mm256_and_si256(_mm256_cvtps_epi32(x), low); };
  const __m256i front = _mm256_or_si256(byte(a), _mm256_slli_epi32(byte(b), 8));
  const __m256i back =
      _mm256_or_si256(_mm256_slli_epi32(byte(c), 16), _mm256_slli_epi32(_mm256_cvtps_epi32(d), 24));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm256_or_si256(front, back));
}
OCTAVO_INLINE void store_u16_halves(std::uint8_t* high, std::uint8_t* low, Vec x) {
  const __m256i ints = _mm256_cvtps_epi32(x), mask = _mm256_set1_epi32(0xff);
  const auto store_bytes = [](std::uint8_t* p, __m256i bytes) {
    const __m128i words =
        _mm_packus_epi32(_mm256_castsi256_si128(bytes), _mm256_extracti128_si256(bytes, 1));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packus_epi16(words, words));
  };
  store_bytes(high, _mm256_srli_epi32(ints, 8));
  store_bytes(low, _mm256_and_si256(ints, mask));
}

OCTAVO_INLINE void store_u16_halves(std::uint8_t* high, std::uint8_t* low, const Vec (&x)[4]) {
  for (std::size_t i = 0; i < 4; ++i) store_u16_halves(high + i * kWidth, low + i * kWidth, x[i]);
}

OCTAVO_INLINE float reduce_add(Vec x) {
  __m128 a = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  a = _mm_add_ps(a, _mm_movehl_ps(a, a));
  return _mm_cvtss_f32(_mm_add_ss(a, _mm_movehdup_ps(a)));
}
OCTAVO_INLINE float reduce_max(Vec x) {
  __m128 a = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  a = _mm_max_ps(a, _mm_movehl_ps(a, a));
  return _mm_cvtss_f32(_mm_max_ss(a, _mm_movehdup_ps(a)));
}

// Rows p, p + stride, ... into an 8x8 block whose row i is the i-th column of them.
OCTAVO_INLINE void transpose_block(const float* p, std::size_t stride, float* out,
                                   std::size_t out_stride) {
  Vec a[8], b[8];
  for (int i = 0; i < 4; ++i) {
    a[i] = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(p + i * stride)),
                                _mm_loadu_ps(p + (i + 4) * stride), 1);
    a[i + 4] = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(p + i * stride + 4)),
                                    _mm_loadu_ps(p + (i + 4) * stride + 4), 1);
  }
  for (int i = 0; i < 8; i += 4) {
    b[i] = _mm256_unpacklo_ps(a[i], a[i + 1]);
    b[i + 1] = _mm256_unpackhi_ps(a[i], a[i + 1]);
    b[i + 2] = _mm256_unpacklo_ps(a[i + 2], a[i + 3]);
    b[i + 3] = _mm256_unpackhi_ps(a[i + 2], a[i + 3]);
    store(out + i * out_stride, _mm256_shuffle_ps(b[i], b[i + 2], 0x44));
    store(out + (i + 1) * out_stride, _mm256_shuffle_ps(b[i], b[i + 2], 0xee));
    store(out + (i + 2) * out_stride, _mm256_shuffle_ps(b[i + 1], b[i + 3], 0x44));
    store(out + (i + 3) * out_stride, _mm256_shuffle_ps(b[i + 1], b[i + 3], 0xee));
  }
}

}  // namespace
}  // namespace octavo::kernels

#include "kernels/simd/combine_rows.inl.h"
