// The packed products by vectors. Include after one of the Vec headers. A type Dot says how an
// instruction set multiplies quads:
//   Sum                      int32 or float
//   Acc, A, B                registers
//   kColumns                 columns of a group that an Acc holds
//   kRegisters               rows * Accs of a block at most
//   zero(), load_b(bytes), broadcast_a(bytes), dot(acc, a, b)
//   store_sums(Acc*, Sum*)   the Accs of one group, as 16 sums
#pragma once

#include <utility>

#include "kernels/gemm/finish.inl.h"

namespace octavo::kernels {
namespace {

// Bytes that are brought into the second-level cache while others are used: `lines` cache lines a
// tile along K.
struct Ahead {
  const std::byte *at, *end;
  std::size_t lines;
};

constexpr std::size_t kLineBytes = 64;

// kRows rows times kGroups groups, all of K in one pass. `a` is the first row's first tile.
template <class Dot, std::size_t kRows, std::size_t kGroups>
__attribute__((noinline)) void gemm_block(const std::byte* a, const std::byte* b, std::size_t tiles,
                                          typename Dot::Sum* sums, const std::byte* ahead,
                                          std::size_t lines) {
  constexpr std::size_t kAccs = kTileRows / Dot::kColumns;
  typename Dot::Acc acc[kRows][kGroups * kAccs];
#pragma GCC unroll 16
  for (std::size_t r = 0; r < kRows; ++r) {
#pragma GCC unroll 16
    for (std::size_t v = 0; v < kGroups * kAccs; ++v) acc[r][v] = Dot::zero();
  }
  const std::size_t group_bytes = tiles * kTileSize;
  for (std::size_t tile = 0; tile < tiles; ++tile, a += kTileSize, b += kTileSize) {
    for (const std::byte* end = ahead + lines * kLineBytes; ahead < end; ahead += kLineBytes) {
      __builtin_prefetch(ahead, 0, 2);
    }
#pragma GCC unroll 16
    for (std::size_t quad = 0; quad < kQuads; ++quad) {
      typename Dot::B y[kGroups * kAccs];
#pragma GCC unroll 16
      for (std::size_t v = 0; v < kGroups * kAccs; ++v) {
        y[v] = Dot::load_b(b + v / kAccs * group_bytes + quad * kTileBytes +
                           v % kAccs * Dot::kColumns * 4);
      }
#pragma GCC unroll 16
      for (std::size_t r = 0; r < kRows; ++r) {
        const typename Dot::A x = Dot::broadcast_a(a + r * kTileBytes + quad * 4);
#pragma GCC unroll 16
        for (std::size_t v = 0; v < kGroups * kAccs; ++v) acc[r][v] = Dot::dot(acc[r][v], x, y[v]);
      }
    }
  }
#pragma GCC unroll 16
  for (std::size_t r = 0; r < kRows; ++r) {
#pragma GCC unroll 16
    for (std::size_t g = 0; g < kGroups; ++g) {
      Dot::store_sums(acc[r] + g * kAccs, sums + (r * kGroups + g) * kTileRows);
    }
  }
}

// As many groups as the registers hold beside kRows rows.
template <class Dot, std::size_t kRows>
constexpr std::size_t groups_for() {
  constexpr std::size_t fit = Dot::kRegisters / (kRows * (kTileRows / Dot::kColumns));
  return fit == 0 ? 1 : fit > kMaxGroups ? kMaxGroups : fit;
}

template <class Dot, std::size_t kRows>
void gemm_rows(const GemmArgs& args, std::size_t row, std::size_t first_group,
               std::size_t last_group, Ahead& ahead) {
  constexpr std::size_t kGroups = groups_for<Dot, kRows>();
  alignas(64) typename Dot::Sum sums[kRows * kGroups * kTileRows];
  const std::size_t tiles = gemm_tiles(Dot::kType, args.k);
  const std::byte* a = args.a + gemm_row_offset(row, tiles * kTileBytes);
  std::size_t group = first_group;
  for (; group + kGroups <= last_group; group += kGroups) {
    const std::size_t lines = ahead.at < ahead.end ? ahead.lines : 0;
    gemm_block<Dot, kRows, kGroups>(a, args.b + group * tiles * kTileSize, tiles, sums, ahead.at,
                                    lines);
    ahead.at += lines * tiles * kLineBytes;
    finish_block(args, sums, kGroups * kTileRows, row, kRows, group, kGroups);
  }
  for (; group < last_group; ++group) {
    gemm_block<Dot, kRows, 1>(a, args.b + group * tiles * kTileSize, tiles, sums, ahead.at, 0);
    finish_block(args, sums, kTileRows, row, kRows, group, 1);
  }
}

template <class Dot>
using RowsFunction = void (*)(const GemmArgs&, std::size_t, std::size_t, std::size_t, Ahead&);

template <class Dot, std::size_t... kIndex>
OCTAVO_INLINE RowsFunction<Dot> rows_function(std::size_t rows, std::index_sequence<kIndex...>) {
  static constexpr RowsFunction<Dot> kFunctions[] = {gemm_rows<Dot, kIndex + 1>...};
  return kFunctions[rows - 1];
}

// Bytes of B that stay in the first-level cache while rows pass by, and how many rows at a time,
// whose bytes stay in the second-level cache.
constexpr std::size_t kSlabBytes = std::size_t{40} << 10;
constexpr std::size_t kChunkRows = 256;

template <class Dot>
OCTAVO_INLINE void gemm_slab(const GemmArgs& args, std::size_t first_row, std::size_t last_row,
                             std::size_t first_group, std::size_t last_group,
                             std::size_t groups_ahead) {
  const std::size_t group_bytes = gemm_tiles(Dot::kType, args.k) * kTileSize;
  const std::byte* next = args.b + last_group * group_bytes;
  Ahead ahead{next, next + groups_ahead * group_bytes, 0};
  // Evenly spread over the blocks that are to come.
  constexpr std::size_t kStep = groups_for<Dot, Dot::kRows>();
  const std::size_t parts_of_tile = (kTileRows + Dot::kRows - 1) / Dot::kRows;
  const std::size_t blocks = ((last_row - first_row + kTileRows - 1) / kTileRows) * parts_of_tile *
                             ((last_group - first_group) / kStep);
  if (blocks > 0) ahead.lines = (groups_ahead * (kTileSize / kLineBytes) + blocks - 1) / blocks;
  for (std::size_t block = first_row; block < last_row; block += kTileRows) {
    const std::size_t rows = last_row - block < kTileRows ? last_row - block : kTileRows;
    // Evenly filled: a block of one row costs nearly as much as one of four.
    std::size_t parts = (rows + Dot::kRows - 1) / Dot::kRows;
    for (std::size_t r = 0; r < rows; --parts) {
      const std::size_t take = (rows - r + parts - 1) / parts;
      rows_function<Dot>(take, std::make_index_sequence<Dot::kRows>())(args, block + r, first_group,
                                                                       last_group, ahead);
      r += take;
    }
  }
}

template <class Dot>
OCTAVO_INLINE void gemm(const GemmArgs& args, std::size_t first_row, std::size_t last_row,
                        std::size_t first_group, std::size_t last_group) {
  constexpr std::size_t kStep = groups_for<Dot, Dot::kRows>();
  const std::size_t group_bytes = gemm_tiles(Dot::kType, args.k) * kTileSize;
  std::size_t slab = kSlabBytes / (group_bytes + 1) / kStep * kStep;
  if (slab == 0) slab = kStep;
  if (last_row - first_row < kTileRows) slab = last_group;
  for (std::size_t row = first_row; row < last_row; row += kChunkRows) {
    const std::size_t end_row = last_row - row < kChunkRows ? last_row : row + kChunkRows;
    for (std::size_t group = first_group; group < last_group; group += slab) {
      const std::size_t end = last_group - group < slab ? last_group : group + slab;
      const std::size_t left = last_group - end;
      gemm_slab<Dot>(args, row, end_row, group, end, left < slab ? left : slab);
    }
  }
}

}  // namespace
}  // namespace octavo::kernels

// Defines the function that kernels.inc names, in octavo::kernels::space.
#define OCTAVO_DEFINE_GEMM(space, Dot)                                             \
  namespace octavo::kernels::space {                                               \
  void gemm_run(const GemmArgs& args, std::size_t first_row, std::size_t last_row, \
                std::size_t first_group, std::size_t last_group) noexcept {        \
    gemm<Dot>(args, first_row, last_row, first_group, last_group);                 \
  }                                                                                \
  }
