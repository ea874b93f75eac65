// The operands of the int8 attention: rows of float as bytes with a scale a row, K and V in the
// order that the products take. Include after a Vec header.
#pragma once

#include <cstring>
#include <type_traits>

#include "kernels/attention/rows.inl.h"
#include "kernels/gemm/layout.h"
#include "kernels/simd/magnitude.inl.h"

namespace octavo::kernels {
namespace {

// A NaN or an infinity makes the scale NaN, and with it all that the row touches.
struct RowScale {
  Vec scale, inverse;
};
OCTAVO_INLINE RowScale row_scale(Vec top) {
  const Vec limit = set(127.0f), zero = set(0.0f);
  return {select(less(top, set(__builtin_inff())), top / limit, set(__builtin_nanf(""))),
          select(less(set(1e-30f), top), limit / top, zero)};
}

// Calls f with the number of vectors, 1 to 4, as a constant.
template <class F>
OCTAVO_INLINE void with_vectors(std::size_t floats, F f) {
  if (floats > 3 * kWidth) return f(std::integral_constant<std::size_t, 4>());
  if (floats > 2 * kWidth) return f(std::integral_constant<std::size_t, 3>());
  if (floats > kWidth) return f(std::integral_constant<std::size_t, 2>());
  return f(std::integral_constant<std::size_t, 1>());
}

// The first kVectors vectors of x, of which the last may be shorter.
template <std::size_t kVectors>
OCTAVO_INLINE Vec load_of(const float* x, std::size_t i, std::size_t floats) {
  return i + 1 < kVectors ? load(x + i * kWidth)
                          : load_partial(x + i * kWidth, at_most(floats - i * kWidth));
}

OCTAVO_INLINE std::size_t at_most_rows(std::size_t n) { return n < kTileRows ? n : kTileRows; }

constexpr std::size_t kChunk = 4 * kWidth;  // floats of a row taken at a time

// Up to kTileRows rows, `ld` apart, less `mean` where kCentred, as bytes + 128 with zeros to the
// end of the last 64. All kTileRows scales are written. near(r) is called for each row meanwhile.
template <bool kCentred, class Near>
OCTAVO_INLINE void quantize_rows(const float* x, std::size_t ld, const float* mean,
                                 std::size_t size, std::size_t rows, std::uint8_t* out,
                                 std::size_t stride, float* scales, Near near) {
  alignas(64) float tops[kTileRows * kWidth], inverse[kTileRows];
  for (std::size_t r = 0; r < kTileRows; ++r) store(tops + r * kWidth, set(0.0f));
  for (std::size_t p = 0; p < size; p += kChunk) {
    with_vectors(size - p, [&](auto count) {
      constexpr std::size_t kVectors = decltype(count)::value;
      for (std::size_t r = 0; r < rows; ++r) {
        Vec top = load(tops + r * kWidth);
#pragma GCC unroll 4
        for (std::size_t i = 0; i < kVectors; ++i) {
          Vec v = load_of<kVectors>(x + r * ld + p, i, size - p);
          if constexpr (kCentred) v = v - load(mean + p + i * kWidth);
          top = larger_magnitude(v, top);
        }
        store(tops + r * kWidth, top);
      }
    });
  }
  for (std::size_t r = 0; r < kTileRows; r += kWidth) {
    const RowScale s = row_scale(combine_rows(tops + r * kWidth, larger_magnitude));
    store(scales + r, s.scale);
    store(inverse + r, s.inverse);
  }
  for (std::size_t p = 0; p < size; p += kChunk) {
    with_vectors(size - p, [&](auto count) {
      constexpr std::size_t kVectors = decltype(count)::value;
      for (std::size_t r = 0; r < rows; ++r) {
        if (p == 0) near(r);
        const Vec factor = broadcast(inverse + r);
        Vec values[4] = {set(0.0f), set(0.0f), set(0.0f), set(0.0f)};
#pragma GCC unroll 4
        for (std::size_t i = 0; i < kVectors; ++i) {
          Vec v = load_of<kVectors>(x + r * ld + p, i, size - p);
          if constexpr (kCentred) v = v - load(mean + p + i * kWidth);
          values[i] = v * factor;
        }
        store_u8(out + r * stride + p, values);
      }
    });
  }
}

// The mean of the rows of K, in whole vectors.
OCTAVO_INLINE void mean_key(const AttentionArgs& args, float* mean) {
  const std::size_t size = args.head_size;
  const Vec share = set(1.0f / static_cast<float>(args.tokens));
  for (std::size_t p = 0; p < size; p += kChunk) {
    with_vectors(size - p, [&](auto count) {
      constexpr std::size_t kVectors = decltype(count)::value;
      Vec sum[kVectors];
#pragma GCC unroll 4
      for (std::size_t i = 0; i < kVectors; ++i) sum[i] = set(0.0f);
      for (std::size_t j = 0; j < args.tokens; ++j) {
        if (p == 0) fetch_row<2>(args, args.k, args.ld_k, j + 3 * kFetchAhead);
#pragma GCC unroll 4
        for (std::size_t i = 0; i < kVectors; ++i) {
          sum[i] += load_of<kVectors>(args.k + j * args.ld_k + p, i, size - p);
        }
      }
#pragma GCC unroll 4
      for (std::size_t i = 0; i < kVectors; ++i) store(mean + p + i * kWidth, sum[i] * share);
    });
  }
}

// K in groups of 16 keys, group_bytes each, through kTileRows rows of bytes, row_bytes each. Brings
// V near.
inline void pack_keys(const AttentionArgs& args, const float* mean, std::size_t row_bytes,
                      float* rows, std::byte* group, std::size_t group_bytes, float* scales) {
  const std::size_t stride = row_bytes / sizeof(float);
  std::memset(rows, 128, kTileRows * row_bytes);
  for (std::size_t first = 0; first < args.tokens; first += kTileRows, group += group_bytes) {
    const std::size_t left = args.tokens - first, count = left < kTileRows ? left : kTileRows;
    quantize_rows<true>(
        args.k + first * args.ld_k, args.ld_k, mean, args.head_size, count,
        reinterpret_cast<std::uint8_t*>(rows), row_bytes,
        scales + first, [&](std::size_t r) __attribute__((always_inline)) {
          fetch_row<2>(args, args.v, args.ld_v, first + r);
        });
    for (std::size_t quad = 0; quad < stride; quad += kWidth) {
      for (std::size_t j = 0; j < kTileRows; j += kWidth) {
        transpose_block(rows + j * stride + quad, stride,
                        reinterpret_cast<float*>(group) + quad * kTileRows + j, kTileRows);
      }
    }
    for (std::size_t p = 0; p < group_bytes; ++p) group[p] ^= std::byte{128};
  }
}

// V in groups of 16 columns of `quads` quads along the keys, zeros past the last key; a scale a
// column. Brings the first rows of Q near.
inline void pack_values(const AttentionArgs& args, std::size_t quads, std::byte* to,
                        float* scales) {
  const std::size_t size = args.head_size, tokens = args.tokens;
  std::memset(to, 0, (size + kTileRows - 1) / kTileRows * quads * kTileBytes);
  for (std::size_t p = 0; p < size; p += kChunk) {
    with_vectors(size - p, [&](auto vectors) {
      constexpr std::size_t kVectors = decltype(vectors)::value;
      const auto at = [&](std::size_t j, std::size_t i) {
        return load_of<kVectors>(args.v + j * args.ld_v + p, i, size - p);
      };
      Vec top[kVectors], factor[kVectors];
#pragma GCC unroll 4
      for (std::size_t i = 0; i < kVectors; ++i) top[i] = set(0.0f);
      for (std::size_t j = 0; j < tokens; ++j) {
#pragma GCC unroll 4
        for (std::size_t i = 0; i < kVectors; ++i) top[i] = larger_magnitude(at(j, i), top[i]);
      }
      std::byte* group[kVectors];
#pragma GCC unroll 4
      for (std::size_t i = 0; i < kVectors; ++i) {
        const RowScale s = row_scale(top[i]);
        store(scales + p + i * kWidth, s.scale);
        factor[i] = s.inverse;
        const std::size_t column = p + i * kWidth;
        group[i] = to + column / kTileRows * quads * kTileBytes + column % kTileRows * 4;
      }
      std::size_t j = 0;
      for (; j + 4 <= tokens; j += 4) {
        if (p == 0 && j < 8 * kTileRows) fetch_row(args, args.q, args.ld_q, j / 4);
#pragma GCC unroll 4
        for (std::size_t i = 0; i < kVectors; ++i) {
          store_quads(group[i] + j * kTileRows, at(j, i) * factor[i], at(j + 1, i) * factor[i],
                      at(j + 2, i) * factor[i], at(j + 3, i) * factor[i]);
        }
      }
      if (j == tokens) return;
#pragma GCC unroll 4
      for (std::size_t i = 0; i < kVectors; ++i) {
        Vec x[4] = {set(0.0f), set(0.0f), set(0.0f), set(0.0f)};
        for (std::size_t t = 0; j + t < tokens; ++t) x[t] = at(j + t, i) * factor[i];
        store_quads(group[i] + j * kTileRows, x[0], x[1], x[2], x[3]);
      }
    });
  }
}

}  // namespace
}  // namespace octavo::kernels
