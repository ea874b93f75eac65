// The one source of the float32 matmul. Include after one of the Vec headers.
#pragma once

#include "kernels/matmul/block.inl.h"
#include "kernels/matmul/matmul.h"
#include "kernels/simd/math.inl.h"

namespace octavo::kernels {
namespace {

// Floats of A that stay in the second-level cache while all panels of B pass by.
constexpr std::size_t kChunkFloats = std::size_t{1} << 18;
constexpr std::size_t kChunkRows = 144;
static_assert(kChunkRows % kBlockRows == 0);
// With few blocks of rows memory is the limit: parts that stay in the first-level cache, and an
// even stream of lines from memory.
constexpr std::size_t kFewBlocks = 2, kFewPartBytes = std::size_t{16} << 10;
constexpr std::size_t kAheadFloats = std::size_t{8} << 10;
constexpr std::size_t kPartBytes = std::size_t{128} << 10;

template <Activation kActivation>
OCTAVO_INLINE void finish(const MatmulArgs& args, const float* tile, std::size_t ld_tile,
                          std::size_t row, std::size_t rows, std::size_t column) {
  const Vec scale = set(args.scale);
  for (std::size_t v = 0; v < ld_tile; v += kWidth) {
    if (column + v >= args.n) return;
    const std::size_t j = column + v, left = args.n - j;
    float* c = args.c + row * args.ldc + j;
    const float* residual =
        args.residual == nullptr ? nullptr : args.residual + row * args.ld_residual + j;
    const bool whole = left >= kWidth;
    Vec bias = set(0.0f);
    if (args.bias != nullptr) {
      bias = whole ? load(args.bias + j) : load_partial(args.bias + j, left);
    }
    for (std::size_t r = 0; r < rows; ++r) {
      Vec x = activate<kActivation>(fma(load(tile + r * ld_tile + v), scale, bias));
      if (residual != nullptr) {
        const float* from = residual + r * args.ld_residual;
        x += whole ? load(from) : load_partial(from, left);
      }
      if (whole) {
        store(c + r * args.ldc, x);
      } else {
        store_partial(c + r * args.ldc, x, left);
      }
    }
  }
}

__attribute__((noinline)) void finish_block(const MatmulArgs& args, const float* tile,
                                            std::size_t ld_tile, std::size_t row, std::size_t rows,
                                            std::size_t column) {
  OCTAVO_DISPATCH_ACTIVATION(args.activation, finish, args, tile, ld_tile, row, rows, column)
}

// A row or two: several panels at once, since one alone has too few sums to hide the latency of
// fma.
template <std::size_t kRows, std::size_t kPanels>
OCTAVO_INLINE void matmul_thin(const MatmulArgs& args, std::size_t row, std::size_t first_panel,
                               std::size_t last_panel) {
  alignas(64) float tile[kRows * kPanels * kPanel];
  const std::size_t panel_floats = kPanel * args.k;
  const float* a = args.a + row * args.lda;
  std::size_t panel = first_panel;
  for (; panel + kPanels <= last_panel; panel += kPanels) {
    const float* b = args.packed_b + panel * panel_floats;
    multiply_block<kRows, kPanels>(a, args.lda, b, panel_floats, args.k, tile, kPanels * kPanel,
                                   {.fetch = b});
    finish_block(args, tile, kPanels * kPanel, row, kRows, panel * kPanel);
  }
  for (; panel < last_panel; ++panel) {
    const float* b = args.packed_b + panel * panel_floats;
    multiply_block<kRows, 1>(a, args.lda, b, 0, args.k, tile, kPanel, {.fetch = b});
    finish_block(args, tile, kPanel, row, kRows, panel * kPanel);
  }
}

// At most kChunkRows rows. A part of a panel stays in cache while all of them pass by; what comes
// later is fetched on the way, every block its share.
OCTAVO_INLINE void matmul_chunk(const MatmulArgs& args, std::size_t first_row, std::size_t rows,
                                std::size_t first_panel, std::size_t last_panel) {
  const bool few = rows <= kFewBlocks * kBlockRows;
  const std::size_t most_steps = (few ? kFewPartBytes : kPartBytes) / (kPanel * sizeof(float));
  const std::size_t parts = (args.k + most_steps - 1) / most_steps + (args.k == 0);
  const std::size_t part = round_up((args.k + parts - 1) / parts, kFetchStep);
  alignas(64) float sums[kChunkRows * kPanel];
  const float* end = args.packed_b + last_panel * kPanel * args.k;
  for (std::size_t panel = first_panel; panel < last_panel; ++panel) {
    std::size_t first = 0;
    do {
      const std::size_t steps = args.k - first < part ? args.k - first : part;
      const float* b = args.packed_b + (panel * args.k + first) * kPanel;
      std::size_t ahead = few ? kAheadFloats : steps * kPanel;
      const std::size_t ahead_end = ahead + steps * kPanel;
      const std::size_t share = steps / kFetchStep * kLineFloats * (few ? 2 : 1);
      for_each_block(rows, [&](std::size_t r, std::size_t take) {
        const std::size_t row = first_row + r;
        float* to = parts == 1 ? sums : sums + r * kPanel;
        const bool fetch = ahead < ahead_end && ahead < static_cast<std::size_t>(end - b);
        const BlockFunction block = few ? block_function<2>(take) : block_function<1>(take);
        block(args.a + row * args.lda + first, args.lda, b, 0, steps, to, kPanel,
              {.fetch = fetch ? b + ahead : b, .more = first != 0});
        ahead += share;
        if (first + steps == args.k) finish_block(args, to, kPanel, row, take, panel * kPanel);
      });
      first += steps;
    } while (first < args.k);
  }
}

OCTAVO_INLINE void matmul(const MatmulArgs& args, std::size_t first_row, std::size_t last_row,
                          std::size_t first_panel, std::size_t last_panel) {
  if (last_row == first_row + 1) return matmul_thin<1, 4>(args, first_row, first_panel, last_panel);
  if (last_row == first_row + 2) return matmul_thin<2, 2>(args, first_row, first_panel, last_panel);
  const std::size_t in_cache = kChunkFloats / (args.k + 1) + 1;
  const std::size_t fit = in_cache < kChunkRows ? in_cache : kChunkRows;
  std::size_t chunks = (last_row - first_row + fit - 1) / fit;
  for (std::size_t row = first_row; row < last_row; --chunks) {
    const std::size_t rows = round_up((last_row - row + chunks - 1) / chunks, kBlockRows);
    const std::size_t take = rows < last_row - row ? rows : last_row - row;
    matmul_chunk(args, row, take, first_panel, last_panel);
    row += take;
  }
}

}  // namespace
}  // namespace octavo::kernels

// Defines the functions that kernels.inc names, in octavo::kernels::isa.
#define OCTAVO_DEFINE_MATMUL(isa)                                                        \
  namespace octavo::kernels::isa {                                                       \
  void matmul_pack(const float* b, std::size_t row_stride, std::size_t column_stride,    \
                   std::size_t k, std::size_t n, float* packed, std::size_t first_panel, \
                   std::size_t last_panel) noexcept {                                    \
    pack_panels(b, row_stride, column_stride, k, n, packed, first_panel, last_panel);    \
  }                                                                                      \
  void matmul_run(const MatmulArgs& args, std::size_t first_row, std::size_t last_row,   \
                  std::size_t first_panel, std::size_t last_panel) noexcept {            \
    matmul(args, first_row, last_row, first_panel, last_panel);                          \
  }                                                                                      \
  }
