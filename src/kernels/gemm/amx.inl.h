// The packed products by tiles (Tiles of tiles.h). Include after one of the Vec headers.
//
// 32 rows and 32 columns at a time: two tiles of A, two of B, four of sums, over all of K. Of up to
// 16 rows: one of A, up to four of B, four of sums. The rows of the tiles are the rows there are.
// While a block's tiles are multiplied, the sums of the block before become C.
#pragma once

#include <type_traits>

#include "kernels/gemm/finish.inl.h"
#include "kernels/gemm/tile_block.inl.h"

namespace octavo::kernels {
namespace {

// Bytes of B that stay near, in the second cache, while the rows pass by.
constexpr std::size_t kTileSlabBytes = std::size_t{1} << 20;

template <class Tiles, GemmType kType>
class AmxGemm {
 public:
  using Sum = std::conditional_t<kType == GemmType::kInt8, std::int32_t, float>;

  explicit AmxGemm(const GemmArgs& args)
      : args_(args), tiles_(gemm_tiles(kType, args.k)), block_bytes_(tiles_ * kTileSize) {}

  OCTAVO_INLINE void run(std::size_t first_row, std::size_t last_row, std::size_t first_group,
                         std::size_t last_group) {
    if (first_row >= last_row || first_group >= last_group) return;
    std::size_t slab = kTileSlabBytes / (block_bytes_ + 1) / 4 * 4;
    if (slab == 0) slab = 4;
    if (last_row - first_row <= 2 * kTileRows) slab = last_group;
    for (std::size_t group = first_group; group < last_group; group += slab) {
      const std::size_t end = last_group - group < slab ? last_group : group + slab;
      for (std::size_t row = first_row; row < last_row; row += 2 * kTileRows) {
        const std::size_t left = last_row - row;
        if (left > kTileRows) {
          high_panel(row, left < 2 * kTileRows ? left : 2 * kTileRows, group, end);
        } else {
          low_panel(row, left, group, end);
        }
      }
    }
    finish_some(waiting_.rows);
    Tiles::release();
  }

 private:
  // A block whose sums wait to become C.
  struct Waiting {
    const Sum* sums = nullptr;
    std::size_t row = 0, rows = 0, group = 0, groups = 0;
    std::size_t done = 0;  // rows
  };

  void high_panel(std::size_t row, std::size_t rows, std::size_t group, std::size_t end) {
    configure(2, rows - kTileRows);
    for (; group + 2 <= end; group += 2) block<2, 2>(row, rows, group);
    if (group < end) block<2, 1>(row, rows, group);
  }
  void low_panel(std::size_t row, std::size_t rows, std::size_t group, std::size_t end) {
    configure(1, rows);
    for (; group + 4 <= end; group += 4) block<1, 4>(row, rows, group);
    switch (end - group) {
      case 3: return block<1, 3>(row, rows, group);
      case 2: return block<1, 2>(row, rows, group);
      case 1: return block<1, 1>(row, rows, group);
    }
  }

  // The last tile of A and its sums have `rows` rows, the others 16.
  void configure(std::size_t a_tiles, std::size_t rows) {
    if (rows == last_rows_ && (a_tiles == a_tiles_ || rows == kTileRows)) return;
    a_tiles_ = a_tiles;
    last_rows_ = rows;
    TileConfig config;
    const int lasts[2][5] = {{0, 1, 2, 3, 4}, {2, 3, 5, 5, 5}};
    for (const int tile : lasts[a_tiles - 1]) config.rows[tile] = static_cast<std::uint8_t>(rows);
    Tiles::configure(config);
  }

  template <int kATiles, int kBTiles>
  void block(std::size_t row, std::size_t rows, std::size_t group) {
    using Block = TileBlock<Tiles, kType, kATiles, kBTiles>;
    const std::byte* a = args_.a + gemm_row_offset(row, tiles_ * kTileBytes);
    const std::byte* b = args_.b + group * block_bytes_;
    const std::size_t share = tiles_ == 0 ? 0 : (waiting_.rows + tiles_ - 1) / tiles_;
    Block::zero();
    for (std::size_t tile = 0; tile < tiles_; ++tile, a += kTileSize, b += kTileSize) {
      Block::multiply(a, kTileBytes, block_bytes_, b, block_bytes_);
      finish_some(share);
    }
    finish_some(waiting_.rows);
    Sum* sums = sums_[next_];
    next_ ^= 1;
    Block::store(sums, kBTiles * kTileRows);
    waiting_ = {sums, row, rows, group, kBTiles, 0};
  }

  OCTAVO_INLINE void finish_some(std::size_t rows) {
    Waiting& w = waiting_;
    const std::size_t left = w.rows - w.done, take = rows < left ? rows : left;
    if (take == 0) return;
    const std::size_t ld = w.groups * kTileRows;
    finish_block(args_, w.sums + w.done * ld, ld, w.row + w.done, take, w.group, w.groups);
    w.done += take;
  }

  const GemmArgs& args_;
  std::size_t tiles_, block_bytes_;
  std::size_t a_tiles_ = 0, last_rows_ = 0, next_ = 0;  // of the tiles as configured
  Waiting waiting_;
  alignas(64) Sum sums_[2][4 * kTileRows * kTileRows];
};

}  // namespace
}  // namespace octavo::kernels
