// The products of the int8 and bfloat16 attention by tiles (Tiles of gemm/tiles.h). Include after a
// Vec header; products.inl.h says what the members are.
//
// All tiles are 16 rows of 64 bytes. Of more than 16 queries two tiles of A, two of B and four of
// sums at a time, over all quads; of fewer one of A and up to four of sums.
#pragma once

#include <type_traits>

#include "kernels/gemm/layout.h"
#include "kernels/gemm/tiles.h"

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

  template <int kC, int kA, int kB>
  OCTAVO_INLINE static void dot() {
    if constexpr (kType == GemmType::kInt8) {
      Tiles::template dot_int8<kC, kA, kB>();
    } else {
      Tiles::template dot_bf16<kC, kA, kB>();
    }
  }

  // Tile numbers: sums 2 * (tile of A) + (tile of B) or 0 to 3; A 4 and 5 or 4; B the others.
  template <int kATiles, int kBTiles, int kGroup = 0>
  OCTAVO_INLINE static void zero() {
    if constexpr (kGroup < kBTiles) {
      Tiles::template zero<kGroup>();
      if constexpr (kATiles == 2) Tiles::template zero<2 + kGroup>();
      zero<kATiles, kBTiles, kGroup + 1>();
    }
  }
  template <int kATiles, int kBTiles, int kGroup = 0>
  OCTAVO_INLINE static void step(const Operands& x, const std::byte* a, const std::byte* b) {
    if constexpr (kGroup < kBTiles) {
      constexpr int kB = kATiles == 2 ? 6 + kGroup : 5 + kGroup % 3;
      Tiles::template load<kB>(b, kTileBytes);
      if constexpr (kGroup == 0) Tiles::template load<4>(a, x.lda);
      dot<kGroup, 4, kB>();
      if constexpr (kATiles == 2) {
        if constexpr (kGroup == 0) Tiles::template load<5>(a + kTileRows * x.lda, x.lda);
        dot<2 + kGroup, 5, kB>();
      }
      step<kATiles, kBTiles, kGroup + 1>(x, a, b + x.group_bytes);
    }
  }
  template <int kATiles, int kBTiles, int kGroup = 0>
  OCTAVO_INLINE static void store(Sum* sums, std::size_t ld) {
    if constexpr (kGroup < kBTiles) {
      Tiles::template store<kGroup>(sums + kGroup * kTileRows, ld * sizeof(Sum));
      if constexpr (kATiles == 2) {
        Tiles::template store<2 + kGroup>(sums + kTileRows * ld + kGroup * kTileRows,
                                          ld * sizeof(Sum));
      }
      store<kATiles, kBTiles, kGroup + 1>(sums, ld);
    }
  }

  template <int kATiles, int kBTiles>
  OCTAVO_INLINE static void block(const Operands& x, std::size_t group, Sum* sums) {
    const std::byte *a = x.a, *b = x.b + group * x.group_bytes;
    zero<kATiles, kBTiles>();
    for (std::size_t i = 0; i < x.steps; ++i, a += kTileBytes, b += kTileSize) {
      step<kATiles, kBTiles>(x, a, b);
    }
    store<kATiles, kBTiles>(sums + group * kTileRows, x.ld);
  }
};

}  // namespace
}  // namespace octavo::kernels
