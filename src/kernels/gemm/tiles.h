// What the AMX products need of tiles, so that the same source runs on the hardware and on an exact
// emulation of it. A type Tiles has static members, tile numbers being template arguments:
//   configure(config), release()          LDTILECFG (which zeroes all tiles), TILERELEASE
//   load<t>(from, stride), zero<t>()      TILELOADD, TILEZERO
//   store<t>(to, stride)                  TILESTORED
//   dot_int8<c, a, b>()                   TDPBUSD: unsigned bytes of a, signed bytes of b
//   dot_bf16<c, a, b>()                   TDPBF16PS
#pragma once

#include <cstdint>

namespace octavo::kernels {

/// The operand of LDTILECFG (Intel SDM, volume 1, 18.2): palette 1 has eight tiles of at most 16
/// rows of 64 bytes.
struct alignas(64) TileConfig {
  std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
  std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};  // eight tiles
  std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
static_assert(sizeof(TileConfig) == 64);

}  // namespace octavo::kernels
