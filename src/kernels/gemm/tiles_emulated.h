// The tiles of AMX in plain C++, after the operations of the Intel SDM (volume 2, LDTILECFG,
// TILELOADD, TDPBUSD, TDPBF16PS). What the hardware refuses throws std::logic_error. For tests.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <stdexcept>

#include "kernels/gemm/tiles.h"

namespace octavo::kernels {

struct EmulatedTiles {
  struct Tile {
    std::size_t rows = 0, row_bytes = 0;
    std::uint8_t bytes[16][64] = {};
  };
  struct State {
    bool configured = false;
    Tile tiles[8];
    std::size_t configures = 0, dots = 0;  // since the start
  };
  static State& state() {
    static thread_local State out;
    return out;
  }

  static void configure(const TileConfig& config) {
    require(config.palette == 1 && config.start_row == 0, "palette");
    for (const std::uint8_t x : config.reserved) require(x == 0, "reserved byte");
    for (int t = 0; t < 16; ++t) {
      require(config.rows[t] <= 16 && config.row_bytes[t] <= 64, "tile size");
      require((config.rows[t] == 0) == (config.row_bytes[t] == 0), "half a tile");
      require(t < 8 || config.rows[t] == 0, "tile number");
      if (t < 8) state().tiles[t] = {config.rows[t], config.row_bytes[t], {}};
    }
    state().configured = true;
    ++state().configures;
  }
  static void release() {
    state().configured = false;
    for (Tile& tile : state().tiles) tile = {};
  }
  static void zero(int number) {
    Tile& tile = at(number);
    std::memset(tile.bytes, 0, sizeof tile.bytes);
  }
  static void load(int number, const void* from, std::size_t stride) {
    zero(number);
    Tile& tile = at(number);
    for (std::size_t r = 0; r < tile.rows; ++r) {
      std::memcpy(tile.bytes[r], static_cast<const char*>(from) + r * stride, tile.row_bytes);
    }
  }
  static void store(int number, void* to, std::size_t stride) {
    const Tile& tile = at(number);
    for (std::size_t r = 0; r < tile.rows; ++r) {
      std::memcpy(static_cast<char*>(to) + r * stride, tile.bytes[r], tile.row_bytes);
    }
  }
  static void dot_int8(int to, int left, int right) {
    check(to, left, right);
    Tile &c = at(to), &a = at(left), &b = at(right);
    for (std::size_t m = 0; m < c.rows; ++m) {
      std::uint32_t sums[16];
      std::memcpy(sums, c.bytes[m], sizeof sums);
      for (std::size_t k = 0; k < a.row_bytes / 4; ++k) {
        const std::uint8_t* x = a.bytes[m] + 4 * k;
        std::int8_t y[64];
        std::memcpy(y, b.bytes[k], sizeof y);
        for (std::size_t n = 0; n < c.row_bytes / 4; ++n) {
          sums[n] += static_cast<std::uint32_t>(x[0] * y[4 * n] + x[1] * y[4 * n + 1] +
                                                x[2] * y[4 * n + 2] + x[3] * y[4 * n + 3]);
        }
      }
      write_row(c, m, sums);
    }
    zero_upper_rows(c);
  }
  static void dot_bf16(int to, int left, int right) {
    check(to, left, right);
    Tile &c = at(to), &a = at(left), &b = at(right);
    for (std::size_t m = 0; m < c.rows; ++m) {
      float sums[16], temp[32] = {};
      std::memcpy(sums, c.bytes[m], sizeof sums);
      for (std::size_t k = 0; k < a.row_bytes / 4; ++k) {
        for (std::size_t n = 0; n < c.row_bytes / 2; ++n) {
          const float x = widen(a.bytes[m] + 4 * k + n % 2 * 2), y = widen(b.bytes[k] + 2 * n);
          temp[n] = flush(std::fma(x, y, temp[n]));
        }
      }
      for (std::size_t n = 0; n < c.row_bytes / 4; ++n) {
        sums[n] = flush(flush(sums[n]) + flush(temp[2 * n] + temp[2 * n + 1]));
      }
      write_row(c, m, sums);
    }
    zero_upper_rows(c);
  }

  template <int kTile>
  static void zero() {
    zero(kTile);
  }
  template <int kTile>
  static void load(const void* from, std::size_t stride) {
    load(kTile, from, stride);
  }
  template <int kTile>
  static void store(void* to, std::size_t stride) {
    store(kTile, to, stride);
  }
  template <int kC, int kA, int kB>
  static void dot_int8() {
    dot_int8(kC, kA, kB);
  }
  template <int kC, int kA, int kB>
  static void dot_bf16() {
    dot_bf16(kC, kA, kB);
  }

 private:
  static void require(bool ok, const char* what) {
    if (!ok) throw std::logic_error(what);
  }
  static Tile& at(int tile) {
    require(state().configured, "no tiles are configured");
    require(state().tiles[tile].rows != 0, "the tile is not configured");
    return state().tiles[tile];
  }
  static void check(int to, int left, int right) {
    require(to != left && to != right && left != right, "the same tile twice");
    const Tile &c = at(to), &a = at(left), &b = at(right);
    require(a.row_bytes % 4 == 0 && b.row_bytes % 4 == 0 && c.row_bytes % 4 == 0, "row bytes");
    require(a.rows == c.rows, "rows of A and C");
    require(a.row_bytes / 4 == b.rows, "depth of A and B");
    require(b.row_bytes == c.row_bytes, "columns of B and C");
    ++state().dots;
  }
  static void write_row(Tile& c, std::size_t m, const void* sums) {
    std::memcpy(c.bytes[m], sums, c.row_bytes);
    std::memset(c.bytes[m] + c.row_bytes, 0, 64 - c.row_bytes);
  }
  static void zero_upper_rows(Tile& c) {
    std::memset(c.bytes[0] + 64 * c.rows, 0, 64 * (16 - c.rows));
  }
  // Denormals are zeros, in and out.
  static float flush(float x) {
    return std::fpclassify(x) == FP_SUBNORMAL ? std::copysign(0.0f, x) : x;
  }
  static float widen(const std::uint8_t* p) {
    const std::uint32_t bits = static_cast<std::uint32_t>(p[0] | p[1] << 8) << 16;
    float out;
    std::memcpy(&out, &bits, sizeof out);
    return flush(out);
  }
};

}  // namespace octavo::kernels
