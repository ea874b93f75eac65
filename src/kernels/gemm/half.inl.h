// Products of IEEE halves: both operands widened to float32 beforehand, part by part, B once for a
// chunk of rows and A once for a slab of B, and multiplied by the register blocks of the float32
// products. Include after one of the Vec headers.
//
// An element's sum runs over kHalfDepth of k at a time, in order, and over these parts in order.
#pragma once

#include "kernels/gemm/finish.inl.h"
#include "kernels/matmul/block.inl.h"

namespace octavo::kernels {
namespace {

constexpr std::size_t kHalfTiles = 8;                            // along K
constexpr std::size_t kHalfDepth = kHalfTiles * kTileBytes / 2;  // elements of k
constexpr std::size_t kHalfChunk = 128;                          // rows
constexpr std::size_t kHalfGroups = 6;                           // whole panels
constexpr std::size_t kHalfColumns = kHalfGroups * kTileRows;    // of the sums
static_assert(kHalfColumns % kPanel == 0);

// `count` tiles of a group of B into panels of [depth, kPanel]; `column` is the group's first one.
OCTAVO_INLINE void widen_group(const std::byte* b, std::size_t count, std::size_t column,
                               float* panels) {
  const std::size_t depth = count * kTileBytes / 2;
  for (std::size_t j = 0; j < kTileRows; j += kWidth, column += kWidth) {
    float* to = panels + column / kPanel * kPanel * depth + column % kPanel;
    for (std::size_t p = 0; p < depth; p += 2, to += 2 * kPanel) {
      const HalfPairs pair = load_half_pairs(b + p / 2 * kTileBytes + j * 4);
      store(to, pair.even);
      store(to + kPanel, pair.odd);
    }
  }
}

// `count` tiles of a row of A.
OCTAVO_INLINE void widen_row(const std::byte* a, std::size_t count, float* to) {
  for (std::size_t tile = 0; tile < count; ++tile, a += kTileSize) {
    for (std::size_t p = 0; p < kTileBytes; p += 2 * kWidth, to += kWidth) {
      store(to, load_halves(a + p));
    }
  }
}

// Rows [first_row, last_row), at most kHalfChunk, and at most kHalfGroups groups.
OCTAVO_INLINE void gemm_half_slab(const GemmArgs& args, std::size_t first_row, std::size_t last_row,
                                  std::size_t group, std::size_t groups) {
  alignas(64) float wide_a[kBlockRows * kHalfDepth];
  alignas(64) float wide_b[kHalfColumns * kHalfDepth];
  alignas(64) float sums[kHalfChunk * kHalfColumns];
  alignas(64) float part[kBlockRows * kPanel];
  const std::size_t tiles = gemm_tiles(GemmType::kFp16, args.k);
  const std::size_t panels = (groups * kTileRows + kPanel - 1) / kPanel;
  std::size_t first = 0, end = 0;  // tiles
  do {
    end = tiles - first < kHalfTiles ? tiles : first + kHalfTiles;
    const std::size_t count = end - first, depth = count * kTileBytes / 2;
    for (std::size_t g = 0; g < groups; ++g) {
      widen_group(args.b + ((group + g) * tiles + first) * kTileSize, count, g * kTileRows, wide_b);
    }
    for_each_block(last_row - first_row, [&](std::size_t at, std::size_t take) {
      const std::size_t row = first_row + at;
      for (std::size_t r = 0; r < take; ++r) {
        widen_row(args.a + gemm_row_offset(row + r, tiles * kTileBytes) + first * kTileSize, count,
                  wide_a + r * depth);
      }
      float* to = sums + at * kHalfColumns;
      for (std::size_t panel = 0; panel < panels; ++panel, to += kPanel) {
        const float* b = wide_b + panel * kPanel * depth;
        if (first == 0) {
          block_function(take)(wide_a, depth, b, 0, depth, to, kHalfColumns, {.fetch = b});
          continue;
        }
        block_function(take)(wide_a, depth, b, 0, depth, part, kPanel, {.fetch = b});
        for (std::size_t r = 0; r < take; ++r) {
          for (std::size_t v = 0; v < kPanel; v += kWidth) {
            float* sum = to + r * kHalfColumns + v;
            store(sum, load(sum) + load(part + r * kPanel + v));
          }
        }
      }
      if (end == tiles) {
        finish_block(args, sums + at * kHalfColumns, kHalfColumns, row, take, group, groups);
      }
    });
    first = end;
  } while (first < tiles);
}

OCTAVO_INLINE void gemm_half(const GemmArgs& args, std::size_t first_row, std::size_t last_row,
                             std::size_t first_group, std::size_t last_group) {
  for (std::size_t row = first_row; row < last_row; row += kHalfChunk) {
    const std::size_t end = last_row - row < kHalfChunk ? last_row : row + kHalfChunk;
    for (std::size_t group = first_group; group < last_group; group += kHalfGroups) {
      const std::size_t left = last_group - group;
      gemm_half_slab(args, row, end, group, left < kHalfGroups ? left : kHalfGroups);
    }
  }
}

}  // namespace
}  // namespace octavo::kernels

// Defines the function that kernels.inc names, in octavo::kernels::space.
#define OCTAVO_DEFINE_GEMM_HALF(space)                                             \
  namespace octavo::kernels::space {                                               \
  void gemm_run(const GemmArgs& args, std::size_t first_row, std::size_t last_row, \
                std::size_t first_group, std::size_t last_group) noexcept {        \
    gemm_half(args, first_row, last_row, first_group, last_group);                 \
  }                                                                                \
  }
