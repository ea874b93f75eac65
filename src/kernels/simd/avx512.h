// Vec for AVX-512 (F, BW, DQ, VL): sixteen floats.
//
// Vec is the compiler's own vector type: + - * / work on it. All three headers of this folder offer
//   kWidth, kBlockRows            floats in a Vec; rows of a matmul block (accumulators: 2 each)
//   set, broadcast, load, store   unaligned memory
//   load_partial, store_partial   the first n lanes; others read as zero and are not touched
//   fma(a, b, c), fnma(a, b, c)   a * b + c, c - a * b
//   less, select, min, max        min and max give the second operand when one is a NaN
//   keep_first(x, n)              lanes from n on become zero
//   abs, copy_sign, round_even
//   scale_exponent(x, n)          x * 2^n for whole n of magnitude up to 250
//   fraction(x)                   x - floor(x), |x| < 2^22
//   scale_floor(x, y)             x * 2^floor(y), |y| up to 125
//   load_int(p), (p, minus)       int32 as floats, or their differences
//   store_u8(p, x)                round(x) + 128 as bytes, |x| <= 127; of four x too
//   store_quads(p, a, b, c, d)    lane l as four int8: round(a[l]), round(b[l]), ...
//   store_u16_halves(h, l, x)     round(x) in [0, 65535] as high and low bytes; of four x too
//   store_bf16(p, x)              rounded to nearest even
//   store_fp16(p, x)              as IEEE halves, to nearest even
//   load_halves(p)                kWidth IEEE halves
//   load_half_pairs(p)            2 * kWidth of them: those at even and at odd places
//   store_pairs(p, a, b)          lane l as two bfloat16: round(a[l]), round(b[l]) (not avx2)
//   store_upper_halves(p, a, b)   the upper 16 bits of all lanes (not avx2)
//   reduce_add, reduce_max        in a fixed order
//   transpose_block               kWidth x kWidth floats
//   combine_rows(p, f)            lane r: f over the kWidth floats of row r, in a fixed order
// in an unnamed namespace: each translation unit has its own copy, compiled for its own instruction
// set.
#pragma once

// The undefined operands inside the compiler's own intrinsics are on purpose.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>
#pragma GCC diagnostic pop

#include <cstddef>
#include <cstdint>

#define OCTAVO_INLINE inline __attribute__((always_inline))

namespace octavo::kernels {
namespace {

using Vec = __m512;
using Mask = __mmask16;

constexpr std::size_t kWidth = 16;
constexpr std::size_t kBlockRows = 12;

OCTAVO_INLINE Mask first_lanes(std::size_t n) { return static_cast<Mask>((1u << n) - 1); }

OCTAVO_INLINE Vec set(float x) { return _mm512_set1_ps(x); }
OCTAVO_INLINE Vec broadcast(const float* p) { return _mm512_set1_ps(*p); }
OCTAVO_INLINE Vec load(const float* p) { return _mm512_loadu_ps(p); }
OCTAVO_INLINE void store(float* p, Vec x) { _mm512_storeu_ps(p, x); }
OCTAVO_INLINE Vec load_partial(const float* p, std::size_t n) {
  return _mm512_maskz_loadu_ps(first_lanes(n), p);
}
OCTAVO_INLINE void store_partial(float* p, Vec x, std::size_t n) {
  _mm512_mask_storeu_ps(p, first_lanes(n), x);
}

OCTAVO_INLINE Vec fma(Vec a, Vec b, Vec c) { return _mm512_fmadd_ps(a, b, c); }
OCTAVO_INLINE Vec fnma(Vec a, Vec b, Vec c) { return _mm512_fnmadd_ps(a, b, c); }
OCTAVO_INLINE Mask less(Vec a, Vec b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
OCTAVO_INLINE Vec select(Mask m, Vec a, Vec b) { return _mm512_mask_blend_ps(m, b, a); }
OCTAVO_INLINE Vec min(Vec a, Vec b) { return _mm512_min_ps(a, b); }
OCTAVO_INLINE Vec max(Vec a, Vec b) { return _mm512_max_ps(a, b); }
OCTAVO_INLINE Vec keep_first(Vec x, std::size_t n) {
  return _mm512_maskz_mov_ps(first_lanes(n), x);
}

OCTAVO_INLINE Vec abs(Vec x) { return _mm512_andnot_ps(set(-0.0f), x); }
OCTAVO_INLINE Vec copy_sign(Vec magnitude, Vec sign) {
  return _mm512_or_ps(abs(magnitude), _mm512_and_ps(set(-0.0f), sign));
}
OCTAVO_INLINE Vec round_even(Vec x) {
  return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
OCTAVO_INLINE Vec scale_exponent(Vec x, Vec n) { return _mm512_scalef_ps(x, n); }

OCTAVO_INLINE Vec fraction(Vec x) {
  return _mm512_reduce_ps(x, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
}
OCTAVO_INLINE Vec scale_floor(Vec x, Vec y) { return _mm512_scalef_ps(x, y); }

OCTAVO_INLINE Vec load_int(const std::int32_t* p) {
  return _mm512_cvtepi32_ps(_mm512_loadu_si512(p));
}
OCTAVO_INLINE Vec load_int(const std::int32_t* p, const std::int32_t* minus) {
  return _mm512_cvtepi32_ps(_mm512_sub_epi32(_mm512_loadu_si512(p), _mm512_loadu_si512(minus)));
}
OCTAVO_INLINE void store_u8(std::uint8_t* p, Vec x) {
  const __m128i bytes = _mm512_cvtsepi32_epi8(_mm512_cvtps_epi32(x));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm_xor_si128(bytes, _mm_set1_epi8(-128)));
}
// a rounded, then b, c and d, four bytes of each in turn.
OCTAVO_INLINE __m512i pack_bytes(Vec a, Vec b, Vec c, Vec d) {
  return _mm512_packs_epi16(_mm512_packs_epi32(_mm512_cvtps_epi32(a), _mm512_cvtps_epi32(b)),
                            _mm512_packs_epi32(_mm512_cvtps_epi32(c), _mm512_cvtps_epi32(d)));
}
OCTAVO_INLINE void store_u8(std::uint8_t* p, const Vec (&x)[4]) {
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  const __m512i bytes = _mm512_permutexvar_epi32(order, pack_bytes(x[0], x[1], x[2], x[3]));
  _mm512_storeu_si512(p, _mm512_xor_si512(bytes, _mm512_set1_epi8(-128)));
}
// Rounded to bfloat16, in the upper halves.
OCTAVO_INLINE __m512i round_bf16(Vec x) {
  const __m512i bits = _mm512_castps_si512(x), one = _mm512_set1_epi32(1);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), one);
  const __m512i rounded = _mm512_add_epi32(_mm512_add_epi32(bits, _mm512_set1_epi32(0x7fff)), odd);
  const __m512i quiet = _mm512_or_si512(bits, _mm512_set1_epi32(0x400000));
  return _mm512_mask_blend_epi32(_mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q), rounded, quiet);
}
OCTAVO_INLINE void store_bf16(std::uint16_t* p, Vec x) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                      _mm512_cvtepi32_epi16(_mm512_srli_epi32(round_bf16(x), 16)));
}
OCTAVO_INLINE void store_fp16(std::uint16_t* p, Vec x) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                      _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
OCTAVO_INLINE Vec load_halves(const std::byte* p) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
struct HalfPairs {
  Vec even, odd;
};
OCTAVO_INLINE HalfPairs load_half_pairs(const std::byte* p) {
  const __m512i pairs = _mm512_loadu_si512(p);
  return {_mm512_cvtph_ps(_mm512_cvtepi32_epi16(pairs)),
          _mm512_cvtph_ps(_mm512_cvtepi32_epi16(_mm512_srli_epi32(pairs, 16)))};
}
OCTAVO_INLINE void store_pairs(std::byte* p, Vec a, Vec b) {
  const __m512i low = _mm512_srli_epi32(round_bf16(a), 16);
  _mm512_storeu_si512(p, _mm512_mask_blend_epi16(0xaaaaaaaa, low, round_bf16(b)));
}
OCTAVO_INLINE void store_upper_halves(std::uint16_t* p, Vec a, Vec b) {
  const __m512i order = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
  const __m512i words = _mm512_packus_epi32(_mm512_srli_epi32(_mm512_castps_si512(a), 16),
                                            _mm512_srli_epi32(_mm512_castps_si512(b), 16));
  _mm512_storeu_si512(p, _mm512_permutexvar_epi64(order, words));
}

OCTAVO_INLINE void store_quads(std::byte* p, Vec a, Vec b, Vec c, Vec d) {
  const __m512i order = _mm512_set4_epi32(0x0f0b0703, 0x0e0a0602, 0x0d090501, 0x0c080400);
  _mm512_storeu_si512(p, _mm512_shuffle_epi8(pack_bytes(a, b, c, d), order));
}
OCTAVO_INLINE void store_u16_halves(std::uint8_t* high, std::uint8_t* low, Vec x) {
  const __m512i ints = _mm512_cvtps_epi32(x);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(high),
                   _mm512_cvtepi32_epi8(_mm512_srli_epi32(ints, 8)));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(low), _mm512_cvtepi32_epi8(ints));
}
OCTAVO_INLINE void store_u16_halves(std::uint8_t* high, std::uint8_t* low, const Vec (&x)[4]) {
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  // Of eight words the low bytes, then the high bytes.
  const __m512i halves = _mm512_set4_epi32(0x0f0d0b09, 0x07050301, 0x0e0c0a08, 0x06040200);
  const __m512i a = _mm512_shuffle_epi8(
      _mm512_packus_epi32(_mm512_cvtps_epi32(x[0]), _mm512_cvtps_epi32(x[1])), halves);
  const __m512i b = _mm512_shuffle_epi8(
      _mm512_packus_epi32(_mm512_cvtps_epi32(x[2]), _mm512_cvtps_epi32(x[3])), halves);
  _mm512_storeu_si512(high, _mm512_permutexvar_epi32(order, _mm512_unpackhi_epi64(a, b)));
  _mm512_storeu_si512(low, _mm512_permutexvar_epi32(order, _mm512_unpacklo_epi64(a, b)));
}

OCTAVO_INLINE float reduce_add(Vec x) {
  const __m256 low = _mm512_castps512_ps256(x), high = _mm512_extractf32x8_ps(x, 1);
  const __m256 sum = _mm256_add_ps(low, high);
  __m128 a = _mm_add_ps(_mm256_castps256_ps128(sum), _mm256_extractf128_ps(sum, 1));
  a = _mm_add_ps(a, _mm_movehl_ps(a, a));
  return _mm_cvtss_f32(_mm_add_ss(a, _mm_movehdup_ps(a)));
}
OCTAVO_INLINE float reduce_max(Vec x) {
  const __m256 low = _mm512_castps512_ps256(x), high = _mm512_extractf32x8_ps(x, 1);
  const __m256 top = _mm256_max_ps(low, high);
  __m128 a = _mm_max_ps(_mm256_castps256_ps128(top), _mm256_extractf128_ps(top, 1));
  a = _mm_max_ps(a, _mm_movehl_ps(a, a));
  return _mm_cvtss_f32(_mm_max_ss(a, _mm_movehdup_ps(a)));
}

// Rows p, p + stride, ... into a 16x16 block whose row i is the i-th column of them.
OCTAVO_INLINE void transpose_block(const float* p, std::size_t stride, float* out,
                                   std::size_t out_stride) {
  // Lane l of a[q][i] holds columns 4q..4q+3 of row i + 4l.
  for (int q = 0; q < 4; ++q) {
    Vec a[4];
    for (int i = 0; i < 4; ++i) {
      const float* row = p + i * stride + 4 * q;
      a[i] = _mm512_castps128_ps512(_mm_loadu_ps(row));
      a[i] = _mm512_insertf32x4(a[i], _mm_loadu_ps(row + 4 * stride), 1);
      a[i] = _mm512_insertf32x4(a[i], _mm_loadu_ps(row + 8 * stride), 2);
      a[i] = _mm512_insertf32x4(a[i], _mm_loadu_ps(row + 12 * stride), 3);
    }
    const Vec b0 = _mm512_unpacklo_ps(a[0], a[1]), b1 = _mm512_unpackhi_ps(a[0], a[1]);
    const Vec b2 = _mm512_unpacklo_ps(a[2], a[3]), b3 = _mm512_unpackhi_ps(a[2], a[3]);
    float* to = out + 4 * q * out_stride;
    store(to, _mm512_shuffle_ps(b0, b2, 0x44));
    store(to + out_stride, _mm512_shuffle_ps(b0, b2, 0xee));
    store(to + 2 * out_stride, _mm512_shuffle_ps(b1, b3, 0x44));
    store(to + 3 * out_stride, _mm512_shuffle_ps(b1, b3, 0xee));
  }
}

template <class F>
OCTAVO_INLINE Vec combine_rows(const float* p, F f) {
  Vec a[8], b[4];
  for (int i = 0; i < 8; ++i) {
    const Vec x = load(p + 2 * i * kWidth), y = load(p + (2 * i + 1) * kWidth);
    a[i] = f(_mm512_unpacklo_ps(x, y), _mm512_unpackhi_ps(x, y));
  }
  // Lane 4 l + r of b[i] is of four floats of row 4 i + r.
  for (int i = 0; i < 4; ++i) {
    const __m512d x = _mm512_castps_pd(a[2 * i]), y = _mm512_castps_pd(a[2 * i + 1]);
    b[i] =
        f(_mm512_castpd_ps(_mm512_unpacklo_pd(x, y)), _mm512_castpd_ps(_mm512_unpackhi_pd(x, y)));
  }
  const Vec c = f(_mm512_shuffle_f32x4(b[0], b[1], 0x44), _mm512_shuffle_f32x4(b[0], b[1], 0xee));
  const Vec d = f(_mm512_shuffle_f32x4(b[2], b[3], 0x44), _mm512_shuffle_f32x4(b[2], b[3], 0xee));
  return f(_mm512_shuffle_f32x4(c, d, 0x88), _mm512_shuffle_f32x4(c, d, 0xdd));
}

}  // namespace
}  // namespace octavo::kernels
