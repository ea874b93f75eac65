// int8 products without VNNI: both operands widened to int16 beforehand, part by part, B once for a
// chunk of rows and A once for a slab of B. A widened tile keeps the order of the bytes. Include
// after gemm.inl.h. A type Wide says how an instruction set does it:
//   Register, kLanes         of int16
//   kRows                    rows of a block; it has two registers of sums a row
//   zero, load, store, broadcast(four int16), dot(acc, a, b)
//   widen_signed, widen_unsigned(bytes)
//   store_sums(acc, acc, sums, more)   of kLanes / 2 columns, added to what is there when `more`
#pragma once

#include <cstring>
#include <utility>

#include "kernels/gemm/finish.inl.h"

namespace octavo::kernels {
namespace {

constexpr std::size_t kWideChunk = 128;  // rows
constexpr std::size_t kWideTiles = 16;   // along K
constexpr std::size_t kWideGroups = 6;
constexpr std::size_t kWideLd = kWideGroups * kTileRows;  // of the sums

// Columns of two registers; b is the first quad of them.
template <class Wide, std::size_t kRows>
__attribute__((noinline)) void wide_block(const std::int16_t* a, std::size_t row_stride,
                                          const std::int16_t* b, std::size_t quads,
                                          std::int32_t* sums, bool more) {
  typename Wide::Register acc[kRows][2];
#pragma GCC unroll 16
  for (std::size_t r = 0; r < kRows; ++r) acc[r][0] = acc[r][1] = Wide::zero();
#pragma GCC unroll 2
  for (std::size_t quad = 0; quad < quads; ++quad, a += 4, b += kTileBytes) {
    const auto y0 = Wide::load(b), y1 = Wide::load(b + Wide::kLanes);
#pragma GCC unroll 16
    for (std::size_t r = 0; r < kRows; ++r) {
      std::int64_t four;
      std::memcpy(&four, a + r * row_stride, sizeof four);
      const auto x = Wide::broadcast(four);
      acc[r][0] = Wide::dot(acc[r][0], x, y0);
      acc[r][1] = Wide::dot(acc[r][1], x, y1);
    }
  }
#pragma GCC unroll 16
  for (std::size_t r = 0; r < kRows; ++r) {
    Wide::store_sums(acc[r][0], acc[r][1], sums + r * kWideLd, more);
  }
}

template <class Wide, std::size_t... kIndex>
OCTAVO_INLINE void wide_rows(std::size_t rows, const std::int16_t* a, std::size_t row_stride,
                             const std::int16_t* b, std::size_t quads, std::int32_t* sums,
                             bool more, std::index_sequence<kIndex...>) {
  static constexpr decltype(&wide_block<Wide, 1>) kFunctions[] = {wide_block<Wide, kIndex + 1>...};
  for (std::size_t lane = 0; lane < kTileBytes; lane += 2 * Wide::kLanes) {
    kFunctions[rows - 1](a, row_stride, b + lane, quads, sums + lane / 4, more);
  }
}

// Rows [first_row, last_row), at most kWideChunk, and at most kWideGroups groups.
template <class Wide>
OCTAVO_INLINE void gemm_wide_slab(const GemmArgs& args, std::size_t first_row, std::size_t last_row,
                                  std::size_t group, std::size_t groups) {
  alignas(64) std::int16_t wide_a[Wide::kRows * kWideTiles * kTileBytes];
  alignas(64) std::int16_t wide_b[kWideGroups * kWideTiles * kTileSize];
  alignas(64) std::int32_t sums[kWideChunk * kWideLd];
  const std::size_t tiles = gemm_tiles(GemmType::kInt8, args.k);
  std::size_t first = 0, end = 0;  // tiles
  do {
    end = tiles - first < kWideTiles ? tiles : first + kWideTiles;
    const std::size_t count = end - first, row_stride = count * kTileBytes;
    for (std::size_t g = 0; g < groups; ++g) {
      const std::byte* b = args.b + ((group + g) * tiles + first) * kTileSize;
      std::int16_t* to = wide_b + g * count * kTileSize;
      for (std::size_t p = 0; p < count * kTileSize; p += Wide::kLanes) {
        Wide::store(to + p, Wide::widen_signed(b + p));
      }
    }
    std::size_t blocks = (last_row - first_row + Wide::kRows - 1) / Wide::kRows;
    for (std::size_t row = first_row; row < last_row; --blocks) {
      const std::size_t take = (last_row - row + blocks - 1) / blocks;
      for (std::size_t r = 0; r < take; ++r) {
        const std::byte* a = args.a + gemm_row_offset(row + r, tiles * kTileBytes);
        std::int16_t* to = wide_a + r * row_stride;
        for (std::size_t tile = first; tile < end; ++tile, to += kTileBytes) {
#pragma GCC unroll 4
          for (std::size_t p = 0; p < kTileBytes; p += Wide::kLanes) {
            Wide::store(to + p, Wide::widen_unsigned(a + tile * kTileSize + p));
          }
        }
      }
      std::int32_t* to = sums + (row - first_row) * kWideLd;
      for (std::size_t g = 0; g < groups; ++g) {
        wide_rows<Wide>(take, wide_a, row_stride, wide_b + g * count * kTileSize, count * kQuads,
                        to + g * kTileRows, first != 0, std::make_index_sequence<Wide::kRows>());
      }
      if (end == tiles) finish_block(args, to, kWideLd, row, take, group, groups);
      row += take;
    }
    first = end;
  } while (first < tiles);
}

// Fewer rows than a block has are left to gemm<Dot>: widening B would take longer.
template <class Wide, class Dot>
OCTAVO_INLINE void gemm_wide(const GemmArgs& args, std::size_t first_row, std::size_t last_row,
                             std::size_t first_group, std::size_t last_group) {
  if (last_row - first_row < Wide::kRows) {
    return gemm<Dot>(args, first_row, last_row, first_group, last_group);
  }
  for (std::size_t row = first_row; row < last_row; row += kWideChunk) {
    const std::size_t end = last_row - row < kWideChunk ? last_row : row + kWideChunk;
    for (std::size_t group = first_group; group < last_group; group += kWideGroups) {
      const std::size_t left = last_group - group;
      gemm_wide_slab<Wide>(args, row, end, group, left < kWideGroups ? left : kWideGroups);
    }
  }
}

}  // namespace
}  // namespace octavo::kernels
