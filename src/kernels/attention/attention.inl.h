// The one source of the float32 attention. Include after one of the Vec headers.
//
// Scratch: K as packed panels (its transpose is the B of scores = Q K^T), V as packed panels, then
// a block of kQueryRows queries times scale, and their scores.
#pragma once

#include "kernels/attention/rows.inl.h"
#include "kernels/matmul/block.inl.h"
#include "kernels/simd/math.inl.h"

namespace octavo::kernels {
namespace {

constexpr std::size_t kQueryRows = 24;
static_assert(kQueryRows % kBlockRows == 0);

OCTAVO_INLINE std::size_t panels_of(std::size_t columns) { return (columns + kPanel - 1) / kPanel; }

struct FloatScratch {
  std::size_t score_stride, query_stride;
  std::size_t k, v, query, scores, floats;  // offsets, and the end
};

OCTAVO_INLINE FloatScratch scratch_layout(std::size_t tokens, std::size_t head_size) {
  FloatScratch s;
  s.score_stride = spread_stride(panels_of(tokens) * kPanel);
  s.query_stride = spread_stride(head_size);
  s.k = 0;
  s.v = s.k + panels_of(tokens) * kPanel * head_size;
  s.query = s.v + panels_of(head_size) * kPanel * tokens;
  s.query = (s.query + 15) / 16 * 16;
  s.scores = s.query + kQueryRows * s.query_stride;
  s.floats = s.scores + kQueryRows * s.score_stride;
  return s;
}

OCTAVO_INLINE void fill_zero(float* x, std::size_t count) {
  for (std::size_t p = 0; p < count; ++p) x[p] = 0.0f;
}

inline void attend_block(const AttentionArgs& args, const FloatScratch& s, std::size_t first,
                         std::size_t rows) {
  float *packed_k = args.scratch + s.k, *packed_v = args.scratch + s.v;
  float *query = args.scratch + s.query, *scores = args.scratch + s.scores;
  const std::size_t tokens = args.tokens, size = args.head_size;
  const Reach block = reach_of(args, first, rows);
  const std::size_t key_begin = block.low / kPanel * kPanel, key_end = block.high;

  const Vec scale = set(args.scale);
  for (std::size_t r = 0; r < rows; ++r) {
    const float* from = args.q + (first + r) * args.ld_q;
    for (std::size_t d = 0; d < size; d += kWidth) {
      const std::size_t left = at_most(size - d);
      store_partial(query + r * s.query_stride + d, load_partial(from + d, left) * scale, left);
    }
  }
  for (std::size_t key = key_begin; key < key_end; key += kPanel) {
    for_each_block(rows, [&](std::size_t r, std::size_t take) {
      block_function(take)(query + r * s.query_stride, s.query_stride, packed_k + key * size, 0,
                           size, scores + r * s.score_stride + (key - key_begin), s.score_stride,
                           {.fetch = query});
    });
  }

  const std::size_t keys = key_end - key_begin;
  float inverse[kQueryRows];
  for (std::size_t r = 0; r < rows; ++r) {
    const std::size_t i = first + r;
    const auto [low, high] = reach_of(args, i, 1);
    float* row = scores + r * s.score_stride;
    float* x = row + (low - key_begin);
    if (args.relative_bias != nullptr) add_relative_bias(args, i, low, x, high - low);
    inverse[r] = 1.0f / exponentials(x, x, high - low);
    fill_zero(row, low - key_begin);
    fill_zero(row + (high - key_begin), key_end - high);
  }

  alignas(64) float tile[kBlockRows * kPanel];
  for (std::size_t column = 0; column < size; column += kPanel) {
    const float* b = packed_v + column * tokens + key_begin * kPanel;
    for_each_block(rows, [&](std::size_t r, std::size_t take) {
      block_function(take)(scores + r * s.score_stride, s.score_stride, b, 0, keys, tile, kPanel,
                           {.fetch = b});
      for (std::size_t t = 0; t < take; ++t) {
        const Vec factor = set(inverse[r + t]);
        float* out = args.out + (first + r + t) * args.ld_out + column;
        for (std::size_t d = 0; d < kPanel && column + d < size; d += kWidth) {
          const std::size_t left = at_most(size - column - d);
          store_partial(out + d, load(tile + t * kPanel + d) * factor, left);
        }
      }
    });
  }
}

OCTAVO_INLINE void attention(const AttentionArgs& args) {
  const FloatScratch s = scratch_layout(args.tokens, args.head_size);
  pack_panels(args.k, 1, args.ld_k, args.head_size, args.tokens, args.scratch + s.k, 0,
              panels_of(args.tokens));
  pack_panels(args.v, args.ld_v, 1, args.tokens, args.head_size, args.scratch + s.v, 0,
              panels_of(args.head_size));
  for (std::size_t first = 0; first < args.tokens; first += kQueryRows) {
    const std::size_t left = args.tokens - first;
    attend_block(args, s, first, left < kQueryRows ? left : kQueryRows);
  }
}

}  // namespace
}  // namespace octavo::kernels

// Defines the functions that kernels.inc names, in octavo::kernels::isa.
#define OCTAVO_DEFINE_ATTENTION(isa)                                                  \
  namespace octavo::kernels::isa {                                                    \
  std::size_t attention_scratch(std::size_t tokens, std::size_t head_size) noexcept { \
    return scratch_layout(tokens, head_size).floats;                                  \
  }                                                                                   \
  void attention_run(const AttentionArgs& args) noexcept { attention(args); }         \
  }
