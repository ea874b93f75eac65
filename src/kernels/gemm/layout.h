// How the operands of a packed product lie in memory: both in tiles of 16 x 64 bytes, so that one
// layout serves AMX tiles, dot-product instructions of four bytes, and plain loops.
//
// A "quad" is what one 32-bit lane of a dot product takes along K: four int8, or two bfloat16 or
// half.
//
//   rows (A)      blocks of 16 rows; a block is ceil(K / tile_k) tiles; a tile is 16 rows of 64
//                 bytes
//   weights (B)   groups of 16 columns; a group is ceil(K / tile_k) tiles; a tile is 16 quads
//                 along K, each of 16 columns x 4 bytes
//
// tile_k is 64 for int8 and 32 for bfloat16 and half. Past K, rows hold any bytes that are finite
// numbers and weights hold zeros. A is allocated in whole blocks of 16 rows; what rows past the
// last one hold, were it uninitialised memory, has no influence.
#pragma once

#include <cstddef>
#include <cstdint>

namespace octavo::kernels {

enum class GemmType { kInt8, kBf16, kFp16 };

inline constexpr std::size_t kTileRows = 16;   // rows of A, columns of B
inline constexpr std::size_t kTileBytes = 64;  // bytes of a row of a tile
inline constexpr std::size_t kTileSize = kTileRows * kTileBytes;
inline constexpr std::size_t kQuads = 16;  // quads of a tile along K

constexpr std::size_t element_bytes(GemmType type) { return type == GemmType::kInt8 ? 1 : 2; }
/// Tiles along K.
constexpr std::size_t gemm_tiles(GemmType type, std::size_t k) {
  return (k * element_bytes(type) + kTileBytes - 1) / kTileBytes;
}
/// Bytes a row of A takes on average: a block of 16 rows takes 16 times as many.
constexpr std::size_t gemm_row_bytes(GemmType type, std::size_t k) {
  return gemm_tiles(type, k) * kTileBytes;
}
constexpr std::size_t gemm_groups(std::size_t n) { return (n + kTileRows - 1) / kTileRows; }
constexpr std::size_t gemm_packed_bytes(GemmType type, std::size_t n, std::size_t k) {
  return gemm_groups(n) * gemm_tiles(type, k) * kTileSize;
}
/// Where row `row` of A begins; its tiles follow kTileSize apart.
constexpr std::size_t gemm_row_offset(std::size_t row, std::size_t row_bytes) {
  return row / kTileRows * kTileRows * row_bytes + row % kTileRows * kTileBytes;
}
/// The longest K whose int32 sums of u8 x s8 cannot overflow: 255 * 127 * K < 2^31.
inline constexpr std::size_t kMaxInt8K = 65536;

}  // namespace octavo::kernels
