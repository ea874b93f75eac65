// Peak loops for AMX: two tiles of A, two of B, four independent tiles of sums, all of full size.
#if defined(__x86_64__)
#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace octavo::kernels::amx {
namespace {

// The operand of LDTILECFG (Intel SDM, volume 1, 18.2).
struct alignas(64) TileConfig {
  std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
  std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

// Not a local variable: gcc takes the instruction to read its first 8 bytes only and drops the
// stores of the others.
constexpr TileConfig kConfig;

void start() {
  _tile_loadconfig(&kConfig);
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  _tile_zero(4);
  _tile_zero(5);
  _tile_zero(6);
  _tile_zero(7);
}

}  // namespace

void peak_int8(std::size_t steps) noexcept;
void peak_bf16(std::size_t steps) noexcept;

void peak_int8(std::size_t steps) noexcept {
  start();
  for (std::size_t i = 0; i < steps; ++i) {
    _tile_dpbusd(0, 4, 6);
    _tile_dpbusd(1, 4, 7);
    _tile_dpbusd(2, 5, 6);
    _tile_dpbusd(3, 5, 7);
  }
  _tile_release();
}

void peak_bf16(std::size_t steps) noexcept {
  start();
  for (std::size_t i = 0; i < steps; ++i) {
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  _tile_release();
}

}  // namespace octavo::kernels::amx
#endif
