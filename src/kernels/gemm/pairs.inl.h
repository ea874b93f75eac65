// int8 products without VNNI, by vpmaddubsw, which adds two products of an unsigned and a signed
// byte in 16 bits. With u = b + 128 and q = a - 128 a pair u0 q0 + u1 q1 is within 255 |q0 + q1|,
// or within 255 * 128 when the signs differ: it fits while |q0 + q1| <= 128. Where it is more, q1
// is cut, and what was cut off is multiplied as another quad of that row. Any bytes give exact
// sums.
//
// Both operands are rewritten part by part along K, B once for a chunk of rows and A once for a
// slab of B. Include after gemm.inl.h. A type Pairs says how an instruction set does it:
//   Register, kBytes         of bytes, kBytes / 4 int32 sums
//   kRows                    rows of a block; it has kAccs registers of sums a row
//   zero, load, store, broadcast(quad), add, sub
//   flip(bytes)              b + 128 as unsigned, or a - 128 as signed bytes
//   dot(acc, u, q)           acc plus four products a lane
//   sum(acc, q)              acc plus the four bytes of a lane
//   cut(q, rest)             what is kept of q, and the rest, 0 where all is
//   quads_of(rest)           a bit for each quad that is not 0
#pragma once

#include <cstring>
#include <utility>

#include "kernels/gemm/finish.inl.h"

namespace octavo::kernels {
namespace {

constexpr std::size_t kPairChunk = 128;  // rows
constexpr std::size_t kPairTiles = 16;   // along K
constexpr std::size_t kPairGroups = 6;
constexpr std::size_t kPairLd = kPairGroups * kTileRows;  // of the sums

// What was cut off a quad of A.
struct Rest {
  std::uint32_t quad;
  std::int32_t bytes;
};

// Rows of A as signed bytes, one after the other, and their rests.
template <class Pairs>
struct PairRows {
  alignas(64) std::byte bytes[Pairs::kRows * kPairTiles * kTileBytes];
  Rest rests[Pairs::kRows][kPairTiles * kQuads];
  std::size_t counts[Pairs::kRows];
};

// Tiles of a row; returns the sum of its signed bytes.
template <class Pairs>
OCTAVO_INLINE std::int32_t signed_row(const std::byte* a, std::size_t tiles, std::byte* out,
                                      Rest* rests, std::size_t& count) {
  auto total = Pairs::zero();
  count = 0;
  for (std::size_t tile = 0; tile < tiles; ++tile, a += kTileSize, out += kTileBytes) {
#pragma GCC unroll 2
    for (std::size_t p = 0; p < kTileBytes; p += Pairs::kBytes) {
      const auto q = Pairs::flip(Pairs::load(a + p));
      total = Pairs::sum(total, q);
      typename Pairs::Register rest;
      Pairs::store(out + p, Pairs::cut(q, rest));
      std::uint32_t some = Pairs::quads_of(rest);
      if (some == 0) continue;
      alignas(64) std::int32_t quads[Pairs::kBytes / 4];
      Pairs::store(reinterpret_cast<std::byte*>(quads), rest);
      const auto first = static_cast<std::uint32_t>(tile * kQuads + p / 4);
      for (; some != 0; some &= some - 1) {
        const auto quad = static_cast<std::uint32_t>(__builtin_ctz(some));
        rests[count++] = {first + quad, quads[quad]};
      }
    }
  }
  alignas(64) std::int32_t lanes[Pairs::kBytes / 4];
  Pairs::store(reinterpret_cast<std::byte*>(lanes), total);
  std::int32_t out_sum = 0;
  for (const std::int32_t lane : lanes) out_sum += lane;
  return out_sum;
}

// Columns of kAccs registers; `b` has the first quad of each kTileRows columns, group_bytes apart.
template <class Pairs, std::size_t kRows>
__attribute__((noinline)) void pair_block(const std::byte* a, std::size_t row_stride,
                                          const std::byte* b, std::size_t group_bytes,
                                          std::size_t quads, std::int32_t* sums, bool more) {
  constexpr std::size_t kAccs = Pairs::kAccs, kLanes = Pairs::kBytes / 4;
  const auto at = [=](std::size_t v) {
    return v * kLanes / kTileRows * group_bytes + v * Pairs::kBytes % kTileBytes;
  };
  typename Pairs::Register acc[kRows][kAccs];
#pragma GCC unroll 16
  for (std::size_t r = 0; r < kRows; ++r) {
#pragma GCC unroll 16
    for (std::size_t v = 0; v < kAccs; ++v) acc[r][v] = Pairs::zero();
  }
  for (std::size_t quad = 0; quad < quads; ++quad, a += 4, b += kTileBytes) {
    typename Pairs::Register y[kAccs];
#pragma GCC unroll 16
    for (std::size_t v = 0; v < kAccs; ++v) y[v] = Pairs::load(b + at(v));
#pragma GCC unroll 16
    for (std::size_t r = 0; r < kRows; ++r) {
      const auto x = Pairs::broadcast(load_quad(a + r * row_stride));
#pragma GCC unroll 16
      for (std::size_t v = 0; v < kAccs; ++v) acc[r][v] = Pairs::dot(acc[r][v], y[v], x);
    }
  }
#pragma GCC unroll 16
  for (std::size_t r = 0; r < kRows; ++r) {
#pragma GCC unroll 16
    for (std::size_t v = 0; v < kAccs; ++v) {
      auto* to = reinterpret_cast<std::byte*>(sums + r * kPairLd + v * kLanes);
      Pairs::store(to, more ? Pairs::add(acc[r][v], Pairs::load(to)) : acc[r][v]);
    }
  }
}

template <class Pairs, std::size_t... kIndex>
OCTAVO_INLINE auto pair_function(std::size_t rows, std::index_sequence<kIndex...>) {
  static constexpr decltype(&pair_block<Pairs, 1>) kFunctions[] = {
      pair_block<Pairs, kIndex + 1>...};
  return kFunctions[rows - 1];
}

// The rests of a row times one group.
template <class Pairs>
OCTAVO_INLINE void add_rests(const Rest* rests, std::size_t count, const std::byte* b,
                             std::int32_t* sums) {
  constexpr std::size_t kParts = kTileBytes / Pairs::kBytes;
  typename Pairs::Register acc[kParts];
  auto* to = reinterpret_cast<std::byte*>(sums);
  for (std::size_t v = 0; v < kParts; ++v) acc[v] = Pairs::load(to + v * Pairs::kBytes);
  for (std::size_t i = 0; i < count; ++i) {
    const auto x = Pairs::broadcast(rests[i].bytes);
    const std::byte* y = b + rests[i].quad * kTileBytes;
    for (std::size_t v = 0; v < kParts; ++v) {
      acc[v] = Pairs::dot(acc[v], Pairs::load(y + v * Pairs::kBytes), x);
    }
  }
  for (std::size_t v = 0; v < kParts; ++v) Pairs::store(to + v * Pairs::kBytes, acc[v]);
}

// sum u q becomes sum a b: less 128 sum q, plus 128 sum b.
template <class Pairs>
OCTAVO_INLINE void shift_sums(std::int32_t row_sum, const std::int32_t* b_sum, std::size_t columns,
                              std::int32_t* sums) {
  const auto shift = Pairs::broadcast(128 * row_sum);
  for (std::size_t j = 0; j < columns; j += Pairs::kBytes / 4) {
    auto* to = reinterpret_cast<std::byte*>(sums + j);
    const auto more = Pairs::load(reinterpret_cast<const std::byte*>(b_sum + j));
    Pairs::store(to, Pairs::sub(Pairs::add(Pairs::load(to), more), shift));
  }
}

// Rows [first_row, last_row), at most kPairChunk, and at most kPairGroups groups.
template <class Pairs>
OCTAVO_INLINE void gemm_pairs_slab(const GemmArgs& args, std::size_t first_row,
                                   std::size_t last_row, std::size_t group, std::size_t groups) {
  PairRows<Pairs> rows;
  alignas(64) std::byte wide_b[kPairGroups * kPairTiles * kTileSize];
  alignas(64) std::int32_t sums[kPairChunk * kPairLd];
  std::int32_t row_sums[kPairChunk] = {};
  constexpr std::size_t kStep = Pairs::kAccs * Pairs::kBytes / kTileBytes;  // groups of a block
  static_assert(kPairGroups % kStep == 0);
  const std::size_t tiles = gemm_tiles(GemmType::kInt8, args.k);
  std::size_t first = 0, end = 0;  // tiles
  do {
    end = tiles - first < kPairTiles ? tiles : first + kPairTiles;
    const std::size_t count = end - first, group_bytes = count * kTileSize;
    for (std::size_t g = 0; g < (groups + kStep - 1) / kStep * kStep; ++g) {
      const std::size_t from = group + (g < groups ? g : 0);  // any, its sums are not used
      const std::byte* b = args.b + (from * tiles + first) * kTileSize;
      for (std::size_t p = 0; p < group_bytes; p += Pairs::kBytes) {
        Pairs::store(wide_b + g * group_bytes + p, Pairs::flip(Pairs::load(b + p)));
      }
    }
    std::size_t blocks = (last_row - first_row + Pairs::kRows - 1) / Pairs::kRows;
    for (std::size_t row = first_row; row < last_row; --blocks) {
      const std::size_t take = (last_row - row + blocks - 1) / blocks;
      const std::size_t row_stride = count * kTileBytes;
      for (std::size_t r = 0; r < take; ++r) {
        const std::byte* a = args.a + gemm_row_offset(row + r, tiles * kTileBytes);
        row_sums[row - first_row + r] +=
            signed_row<Pairs>(a + first * kTileSize, count, rows.bytes + r * row_stride,
                              rows.rests[r], rows.counts[r]);
      }
      std::int32_t* to = sums + (row - first_row) * kPairLd;
      const auto block = pair_function<Pairs>(take, std::make_index_sequence<Pairs::kRows>());
      for (std::size_t g = 0; g < groups; g += kStep) {
        block(rows.bytes, row_stride, wide_b + g * group_bytes, group_bytes, count * kQuads,
              to + g * kTileRows, first != 0);
        for (std::size_t r = 0; r < take; ++r) {
          if (rows.counts[r] == 0) continue;
          for (std::size_t i = g; i < g + kStep; ++i) {
            add_rests<Pairs>(rows.rests[r], rows.counts[r], wide_b + i * group_bytes,
                             to + r * kPairLd + i * kTileRows);
          }
        }
      }
      if (end == tiles) {
        for (std::size_t r = 0; r < take; ++r) {
          shift_sums<Pairs>(row_sums[row - first_row + r], args.b_sum + group * kTileRows,
                            groups * kTileRows, to + r * kPairLd);
        }
        finish_block(args, to, kPairLd, row, take, group, groups);
      }
      row += take;
    }
    first = end;
  } while (first < tiles);
}

// Fewer rows than a block has are left to gemm<Dot>: rewriting B would take longer.
template <class Pairs, class Dot>
OCTAVO_INLINE void gemm_pairs(const GemmArgs& args, std::size_t first_row, std::size_t last_row,
                              std::size_t first_group, std::size_t last_group) {
  if (last_row - first_row < Pairs::kRows) {
    return gemm<Dot>(args, first_row, last_row, first_group, last_group);
  }
  for (std::size_t row = first_row; row < last_row; row += kPairChunk) {
    const std::size_t end = last_row - row < kPairChunk ? last_row : row + kPairChunk;
    for (std::size_t group = first_group; group < last_group; group += kPairGroups) {
      const std::size_t left = last_group - group;
      gemm_pairs_slab<Pairs>(args, row, end, group, left < kPairGroups ? left : kPairGroups);
    }
  }
}

}  // namespace
}  // namespace octavo::kernels
