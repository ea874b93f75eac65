// Packs weights for the products of gemm.h.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/half.h"
#include "kernels/gemm/bf16.h"
#include "kernels/gemm/gemm.h"

namespace octavo::kernels {
namespace {

// Columns [16 * group, 16 * group + 16) of rows [first, first + 4), zeros outside B.
struct Quad {
  float x[4][kTileRows];
};

Quad load_quad(const GemmWeights& w, std::size_t group, std::size_t first, std::size_t count) {
  Quad out{};
  const std::size_t column = group * kTileRows, columns = std::min(kTileRows, w.n - column);
  const std::size_t rows = first < w.k ? std::min(count, w.k - first) : 0;
  for (std::size_t p = 0; p < rows; ++p) {
    const float* from = w.b + (first + p) * w.row_stride + column * w.column_stride;
    for (std::size_t j = 0; j < columns; ++j) out.x[p][j] = from[j * w.column_stride];
  }
  return out;
}

// Valid for |x| < 2^22.
float round_even(float x) { return (x + 12582912.0f) - 12582912.0f; }

template <class Round>
void pack_pairs(const GemmWeights& w, std::size_t first_group, std::size_t last_group,
                std::byte* packed, Round round) {
  const std::size_t tiles = gemm_tiles(GemmType::kBf16, w.k);
  for (std::size_t group = first_group; group < last_group; ++group) {
    std::byte* out = packed + group * tiles * kTileSize;
    for (std::size_t quad_at = 0; quad_at < tiles * kQuads; ++quad_at, out += kTileBytes) {
      const Quad quad = load_quad(w, group, 2 * quad_at, 2);
      for (std::size_t j = 0; j < kTileRows; ++j) {
        const std::uint16_t pair[2] = {round(quad.x[0][j]), round(quad.x[1][j])};
        std::memcpy(out + 4 * j, pair, sizeof pair);
      }
    }
  }
}

}  // namespace

void gemm_pack_int8(const GemmWeights& w, std::size_t first_group, std::size_t last_group,
                    std::byte* packed, float* scale, std::int32_t* sum) noexcept {
  const std::size_t tiles = gemm_tiles(GemmType::kInt8, w.k);
  for (std::size_t group = first_group; group < last_group; ++group) {
    float top[kTileRows] = {}, inverse[kTileRows];
    for (std::size_t p = 0; p < w.k; p += 4) {
      const Quad quad = load_quad(w, group, p, 4);
      for (const auto& row : quad.x) {
        for (std::size_t j = 0; j < kTileRows; ++j) top[j] = std::max(top[j], std::fabs(row[j]));
      }
    }
    for (std::size_t j = 0; j < kTileRows; ++j) {
      scale[group * kTileRows + j] = top[j] / 127.0f;
      inverse[j] = top[j] > 0 ? 127.0f / top[j] : 0.0f;
    }
    auto* out = reinterpret_cast<std::int8_t*>(packed + group * tiles * kTileSize);
    std::int32_t sums[kTileRows] = {};
    for (std::size_t quad_at = 0; quad_at < tiles * kQuads; ++quad_at, out += kTileBytes) {
      const Quad quad = load_quad(w, group, 4 * quad_at, 4);
      for (std::size_t j = 0; j < kTileRows; ++j) {
        for (std::size_t p = 0; p < 4; ++p) {
          // A tiny column can make 127 / absmax inexact by more than a rounding.
          const float q = std::clamp(round_even(quad.x[p][j] * inverse[j]), -127.0f, 127.0f);
          out[4 * j + p] = static_cast<std::int8_t>(q);
          sums[j] += out[4 * j + p];
        }
      }
    }
    for (std::size_t j = 0; j < kTileRows; ++j) sum[group * kTileRows + j] = 128 * sums[j];
  }
}

void gemm_pack_bf16(const GemmWeights& w, std::size_t first_group, std::size_t last_group,
                    std::byte* packed) noexcept {
  pack_pairs(w, first_group, last_group, packed, to_bf16);
}

void gemm_pack_fp16(const GemmWeights& w, std::size_t first_group, std::size_t last_group,
                    std::byte* packed) noexcept {
  pack_pairs(w, first_group, last_group, packed, float_to_half);
}

}  // namespace octavo::kernels
