// The products of the int8 and bfloat16 attention by tiles (Tiles of gemm/tiles.h). Include after a
// Vec header; products.inl.h says what the members are.
//
// All tiles are 16 rows of 64 bytes. Of more than 16 queries two tiles of A, two of B and four of
// sums at a time, over all quads; of fewer one of A and up to four of sums.
#pragma once

#include <type_traits>

#include "kernels/gemm/tile_block.inl.h"

namespace octavo::kernels {
namespace {

template <class Tiles, GemmType kType>
struct TileProducts {
  using Sum = std::conditional_t<kType == GemmType::kInt8, std::int32_t, float>;
  static constexpr std::size_t kQueries = 2 * kTileRows, kStep = kQuads;

  OCTAVO_INLINE static void begin() {
    const TileConfig config;
    Tiles::configure(config);
  }
  OCTAVO_INLINE static void end() { Tiles::release(); }

  __attribute__((noinline)) static void multiply(const std::byte* a, std::size_t lda,
                                                 const std::byte* b, std::size_t group_bytes,
                                                 std::size_t quads, std::size_t rows,
                                                 std::size_t groups, Sum* sums, std::size_t ld) {
    const Operands x{a, b, lda, group_bytes, (quads + kStep - 1) / kStep, ld};
    std::size_t g = 0;
    if (rows > kTileRows) {
      for (; g + 2 <= groups; g += 2) block<2, 2>(x, g, sums);
      if (g < groups) block<2, 1>(x, g, sums);
      return;
    }
    for (; g + 4 <= groups; g += 4) block<1, 4>(x, g, sums);
    switch (groups - g) {
      case 3: return block<1, 3>(x, g, sums);
      case 2: return block<1, 2>(x, g, sums);
      case 1: return block<1, 1>(x, g, sums);
    }
  }

 private:
  struct Operands {
    const std::byte *a, *b;
    std::size_t lda, group_bytes, steps, ld;
  };

  template <int kATiles, int kBTiles>
  OCTAVO_INLINE static void block(const Operands& x, std::size_t group, Sum* sums) {
    using Block = TileBlock<Tiles, kType, kATiles, kBTiles>;
    const std::byte *a = x.a, *b = x.b + group * x.group_bytes;
    Block::zero();
    for (std::size_t i = 0; i < x.steps; ++i, a += kTileBytes, b += kTileSize) {
      Block::multiply(a, x.lda, kTileRows * x.lda, b, x.group_bytes);
    }
    Block::store(sums + group * kTileRows, x.ld);
  }
};

}  // namespace
}  // namespace octavo::kernels
