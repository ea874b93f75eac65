// A block of one or two tiles of A times one to four of B (two at most beside two of A), which the
// products and attention by tiles share. Include after one of the Vec headers. Tile numbers: sums
// 2 * (tile of A) + (tile of B) or 0 to 3; A 4 and 5 or 4; B the others.
#pragma once

#include <type_traits>

#include "kernels/gemm/layout.h"
#include "kernels/gemm/tiles.h"

namespace octavo::kernels {
namespace {

template <class Tiles, GemmType kType, int kATiles, int kBTiles>
struct TileBlock {
  using Sum = std::conditional_t<kType == GemmType::kInt8, std::int32_t, float>;

  template <int kGroup = 0>
  OCTAVO_INLINE static void zero() {
    if constexpr (kGroup < kBTiles) {
      Tiles::template zero<kGroup>();
      if constexpr (kATiles == 2) Tiles::template zero<2 + kGroup>();
      zero<kGroup + 1>();
    }
  }

  /// Adds a tile along K. Rows of A are `lda` bytes apart, its tiles `a_stride`, those of B
  /// `b_stride`.
  template <int kGroup = 0>
  OCTAVO_INLINE static void multiply(const std::byte* a, std::size_t lda, std::size_t a_stride,
                                     const std::byte* b, std::size_t b_stride) {
    if constexpr (kGroup < kBTiles) {
      constexpr int kB = kATiles == 2 ? 6 + kGroup : 5 + kGroup % 3;
      Tiles::template load<kB>(b, kTileBytes);
      if constexpr (kGroup == 0) Tiles::template load<4>(a, lda);
      dot<kGroup, 4, kB>();
      if constexpr (kATiles == 2) {
        if constexpr (kGroup == 0) Tiles::template load<5>(a + a_stride, lda);
        dot<2 + kGroup, 5, kB>();
      }
      multiply<kGroup + 1>(a, lda, a_stride, b + b_stride, b_stride);
    }
  }

  /// Rows of sums are `ld` elements apart.
  template <int kGroup = 0>
  OCTAVO_INLINE static void store(Sum* sums, std::size_t ld) {
    if constexpr (kGroup < kBTiles) {
      Tiles::template store<kGroup>(sums + kGroup * kTileRows, ld * sizeof(Sum));
      if constexpr (kATiles == 2) {
        Tiles::template store<2 + kGroup>(sums + kTileRows * ld + kGroup * kTileRows,
                                          ld * sizeof(Sum));
      }
      store<kGroup + 1>(sums, ld);
    }
  }

 private:
  template <int kC, int kA, int kB>
  OCTAVO_INLINE static void dot() {
    if constexpr (kType == GemmType::kInt8) {
      Tiles::template dot_int8<kC, kA, kB>();
    } else {
      Tiles::template dot_bf16<kC, kA, kB>();
    }
  }
};

}  // namespace
}  // namespace octavo::kernels
