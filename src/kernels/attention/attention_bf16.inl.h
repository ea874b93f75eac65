// Attention with bfloat16 products. Include after a Vec header and the header of Products
// (products.inl.h, tile_products.inl.h).
//
// Scratch, a "quad" being two bfloat16: K in groups of 16 keys, quads along the head; V in groups
// of 16 columns, quads along the keys; then a block of queries times scale, their scores, their P,
// and the sums of P V.
#pragma once

#include "kernels/attention/products.inl.h"
#include "kernels/attention/rows.inl.h"

namespace octavo::kernels {
namespace {

// Offsets in bytes; every part begins on a cache line.
struct Bf16Scratch {
  std::size_t head_quads, key_quads;                 // quads of a row of Q, of a group of V
  std::size_t group_bytes;                           // of a group of K, its quads a multiple of 16
  std::size_t query_stride, score_stride, p_stride;  // bytes, floats, bytes
  std::size_t k, v, query, scores, p, sums, bytes;
};

template <class Products>
OCTAVO_INLINE Bf16Scratch bf16_scratch(std::size_t tokens, std::size_t head_size) {
  constexpr std::size_t kQueries = Products::kQueries, kStep = Products::kStep;
  Bf16Scratch s;
  s.head_quads = (head_size + 1) / 2;
  s.key_quads = (tokens + 1) / 2 + kStep - 1;
  const std::size_t keys = align_up(tokens, kTileRows), columns = align_up(head_size, kTileRows);
  s.query_stride = align_up(4 * s.head_quads, kTileBytes);
  s.group_bytes = s.query_stride * kTileRows;
  s.score_stride = spread_stride(keys);
  s.p_stride = spread_stride(align_up(keys, 2 * kStep) / 2 + kTileRows) * 4;
  ScratchParts parts;
  s.k = parts.take(keys / kTileRows * s.group_bytes);
  s.v = parts.take(columns * s.key_quads * 4);
  s.query = parts.take(kQueries * s.query_stride);
  s.scores = parts.take(kQueries * s.score_stride * sizeof(float));
  s.p = parts.take(kQueries * s.p_stride);
  s.sums = parts.take(kQueries * columns * sizeof(float));
  s.bytes = parts.bytes;
  return s;
}

// kWidth keys from `from` on, `size` floats each, as kWidth lanes of the quads of a group.
OCTAVO_INLINE void pack_key_lanes(const float* from, std::size_t ld, std::size_t count,
                                  std::size_t size, std::size_t quads, std::byte* to) {
  alignas(64) float in[kWidth * kWidth], out[kWidth * kWidth];
  for (std::size_t d = 0; d < 2 * quads; d += kWidth) {
    if (count >= kWidth && d + kWidth <= size) {
      transpose_block(from + d, ld, out, kWidth);
    } else {
      for (std::size_t j = 0; j < kWidth; ++j) {
        const bool any = j < count && d < size;
        store(in + j * kWidth,
              any ? load_partial(from + j * ld + d, at_most(size - d)) : set(0.0f));
      }
      transpose_block(in, kWidth, out, kWidth);
    }
    for (std::size_t i = 0; i < kWidth; i += 2) {
      store_pairs(to + (d + i) / 2 * kTileBytes, load(out + i * kWidth),
                  load(out + (i + 1) * kWidth));
    }
  }
}

inline void pack_bf16_keys(const AttentionArgs& args, const Bf16Scratch& s, std::byte* scratch) {
  const std::size_t tokens = args.tokens;
  for (std::size_t j = 0; j < align_up(tokens, kTileRows); j += kWidth) {
    const std::size_t count = j < tokens ? at_most(tokens - j) : 0;
    for (std::size_t i = 0; i < kWidth; ++i) fetch_row(args, args.k, args.ld_k, j + kWidth + i);
    pack_key_lanes(count == 0 ? args.k : args.k + j * args.ld_k, args.ld_k, count, args.head_size,
                   s.query_stride / 4,
                   scratch + s.k + j / kTileRows * s.group_bytes + j % kTileRows * 4);
  }
}

inline void pack_bf16_values(const AttentionArgs& args, const Bf16Scratch& s, std::byte* scratch) {
  const std::size_t size = args.head_size, tokens = args.tokens;
  for (std::size_t p = 0; p < align_up(size, kTileRows); p += kWidth) {
    const std::size_t left = p < size ? at_most(size - p) : 0;
    const auto row = [&](std::size_t j) {
      return j < tokens ? load_partial(args.v + j * args.ld_v + p, left) : set(0.0f);
    };
    std::byte* to = scratch + s.v + p / kTileRows * s.key_quads * kTileBytes + p % kTileRows * 4;
    for (std::size_t quad = 0; quad < s.key_quads; ++quad, to += kTileBytes) {
      if (p == 0) {
        fetch_row(args, args.v, args.ld_v, 2 * quad + kFetchAhead);
        fetch_row(args, args.v, args.ld_v, 2 * quad + kFetchAhead + 1);
      }
      store_pairs(to, row(2 * quad), row(2 * quad + 1));
    }
  }
}

// x >= 0 rounded to the 8 bits of a bfloat16 (Veltkamp's splitting).
OCTAVO_INLINE Vec eight_bits(Vec x) {
  const Vec wide = x * set(65537.0f);
  return wide - (wide - x);
}

// 2^r to 7.5e-5, which is little beside the rounding to 2^-9.
constexpr float kExp[] = {0x1.fff632p-1f, 0x1.64444cp-1f, 0x1.cefc4cp-3f, 0x1.3f96a4p-4f};

// exp(x - top) as bfloat16; returns the sum of what was stored. Elements to the end of the last
// vector are written, 0 from count on.
OCTAVO_INLINE float bf16_exponentials(const float* x, std::size_t count, float top,
                                      std::uint16_t* out) {
  const Vec shift = set(top);
  const auto rounded = [&](Vec v) {
    return eight_bits(exp2_below((v - shift) * set(kLog2E), kExp));
  };
  Vec sum0 = set(0.0f), sum1 = sum0;
  std::size_t p = 0;
  for (; p + 2 * kWidth <= count; p += 2 * kWidth) {
    const Vec e0 = rounded(load(x + p)), e1 = rounded(load(x + p + kWidth));
    store_upper_halves(out + p, e0, e1);
    sum0 += e0;
    sum1 += e1;
  }
  for (; p < count; p += kWidth) {
    const std::size_t left = at_most(count - p);
    const Vec e = keep_first(rounded(load_partial(x + p, left)), left);
    store_bf16(out + p, e);
    sum0 += e;
  }
  return reduce_add(sum0 + sum1);
}

template <class Products>
void attend_bf16_block(const AttentionArgs& args, const Bf16Scratch& s, std::size_t first,
                       std::size_t rows) {
  constexpr std::size_t kQueries = Products::kQueries, kStep = Products::kStep;
  auto* scratch = reinterpret_cast<std::byte*>(args.scratch);
  const std::size_t size = args.head_size;
  const Reach block = reach_of(args, first, rows);
  const std::size_t key_begin = block.low / kTileRows * kTileRows;

  const Vec scale = set(args.scale);
  for (std::size_t r = 0; r < rows; ++r) {
    const float* from = args.q + (first + r) * args.ld_q;
    fetch_row(args, args.q, args.ld_q, first + r + kFetchAhead);
    auto* to = reinterpret_cast<std::uint16_t*>(scratch + s.query + r * s.query_stride);
    for (std::size_t d = 0; d < s.query_stride / 2; d += kWidth) {
      store_bf16(to + d, d < size ? load_partial(from + d, at_most(size - d)) * scale : set(0.0f));
    }
  }
  auto* scores = reinterpret_cast<float*>(scratch + s.scores);
  Products::multiply(scratch + s.query, s.query_stride,
                     scratch + s.k + key_begin / kTileRows * s.group_bytes, s.group_bytes,
                     s.head_quads, rows, (block.high - key_begin + kTileRows - 1) / kTileRows,
                     scores, s.score_stride);

  const std::size_t quads = align_up((block.high - key_begin + 1) / 2, kStep);
  float inverse[kQueries];
  for (std::size_t r = 0; r < rows; ++r) {
    const auto [low, high] = reach_of(args, first + r, 1);
    const std::size_t skip = low - key_begin, count = high - low;
    float* x = scores + r * s.score_stride + skip;
    if (args.relative_bias != nullptr) add_relative_bias(args, first + r, low, x, count);
    auto* p = reinterpret_cast<std::uint16_t*>(scratch + s.p + r * s.p_stride);
    inverse[r] = 1.0f / bf16_exponentials(x, count, row_max(x, count), p + skip);
    for (std::size_t j = 0; j < skip; ++j) p[j] = 0;
    for (std::size_t j = skip + count; j < 2 * quads; ++j) p[j] = 0;
  }

  const std::size_t columns = align_up(size, kTileRows);
  auto* sums = reinterpret_cast<float*>(scratch + s.sums);
  Products::multiply(scratch + s.p, s.p_stride, scratch + s.v + key_begin / 2 * kTileBytes,
                     s.key_quads * kTileBytes, quads, rows, columns / kTileRows, sums, columns);
  for (std::size_t r = 0; r < rows; ++r) {
    const Vec factor = set(inverse[r]);
    float* out = args.out + (first + r) * args.ld_out;
    for (std::size_t d = 0; d < size; d += kWidth) {
      store_partial(out + d, load(sums + r * columns + d) * factor, at_most(size - d));
    }
  }
}

template <class Products>
OCTAVO_INLINE void attention_bf16(const AttentionArgs& args) {
  constexpr std::size_t kQueries = Products::kQueries;
  const Bf16Scratch s = bf16_scratch<Products>(args.tokens, args.head_size);
  auto* scratch = reinterpret_cast<std::byte*>(args.scratch);
  pack_bf16_keys(args, s, scratch);
  pack_bf16_values(args, s, scratch);
  Products::begin();
  for (std::size_t first = 0; first < args.tokens; first += kQueries) {
    const std::size_t left = args.tokens - first;
    attend_bf16_block<Products>(args, s, first, left < kQueries ? left : kQueries);
  }
  Products::end();
}

}  // namespace
}  // namespace octavo::kernels

// Defines the functions that kernels.inc names, in octavo::kernels::space. Last the Products.
#define OCTAVO_DEFINE_ATTENTION_BF16(space, ...)                                                \
  namespace octavo::kernels::space {                                                            \
  std::size_t attention_scratch(std::size_t tokens, std::size_t head_size) noexcept {           \
    return bf16_scratch<__VA_ARGS__>(tokens, head_size).bytes / sizeof(float);                  \
  }                                                                                             \
  void attention_run(const AttentionArgs& args) noexcept { attention_bf16<__VA_ARGS__>(args); } \
  }
