// The register block: kRows rows of A times kPanels panels of B, all of K in one pass. Include
// after one of the Vec headers.
//
// Every element is accumulated over p = 0, 1, ... with one fma a step, whatever the block's size,
// so that how rows are gathered into blocks never changes a result.
#pragma once

#include "kernels/simd/at_most.inl.h"

namespace octavo::kernels {
namespace {

constexpr std::size_t kPanel = 2 * kWidth;

OCTAVO_INLINE std::size_t round_up(std::size_t x, std::size_t step) {
  return (x + step - 1) / step * step;
}

// One step along K.
template <std::size_t kRows, std::size_t kPanels>
OCTAVO_INLINE void multiply_step(Vec (&acc)[kRows][2 * kPanels], const float* a, std::size_t lda,
                                 const float* b, std::size_t panel_stride) {
  Vec x[2 * kPanels];
#pragma GCC unroll 16
  for (std::size_t v = 0; v < 2 * kPanels; ++v) {
    x[v] = load(b + (v / 2) * panel_stride + (v % 2) * kWidth);
  }
#pragma GCC unroll 16
  for (std::size_t r = 0; r < kRows; ++r) {
    const Vec y = broadcast(a + r * lda);
#pragma GCC unroll 16
    for (std::size_t v = 0; v < 2 * kPanels; ++v) acc[r][v] = fma(y, x[v], acc[r][v]);
  }
}

constexpr std::size_t kFetchStep = 2;    // steps along K for the lines fetched at a time
constexpr std::size_t kLineFloats = 16;  // of a cache line

// What a block does beside its own sums.
struct Beside {
  const float* fetch;  // lines from here on are brought into the second-level cache
  bool more = false;   // the sums go on from those in `out`
};

// A: kRows rows at stride lda. B: panels of [k, kPanel], panel_stride floats apart. Out: element
// (r, j) of panel q at out[r * ld_out + q * kPanel + j]. kLines lines are fetched every kFetchStep
// steps.
template <std::size_t kRows, std::size_t kPanels, std::size_t kLines = 1>
__attribute__((noinline)) void multiply_block(const float* a, std::size_t lda, const float* b,
                                              std::size_t panel_stride, std::size_t k, float* out,
                                              std::size_t ld_out, Beside beside) {
  constexpr std::size_t kVecs = 2 * kPanels;
  Vec acc[kRows][kVecs];
  if (beside.more) {
#pragma GCC unroll 16
    for (std::size_t r = 0; r < kRows; ++r) {
#pragma GCC unroll 16
      for (std::size_t v = 0; v < kVecs; ++v) acc[r][v] = load(out + r * ld_out + v * kWidth);
    }
  } else {
#pragma GCC unroll 16
    for (std::size_t r = 0; r < kRows; ++r) {
#pragma GCC unroll 16
      for (std::size_t v = 0; v < kVecs; ++v) acc[r][v] = set(0.0f);
    }
  }
  const float* fetch = beside.fetch;
  std::size_t p = 0;
  for (; p + kFetchStep <= k; p += kFetchStep) {
#pragma GCC unroll 2
    for (std::size_t line = 0; line < kLines; ++line, fetch += kLineFloats) {
      __builtin_prefetch(fetch, 0, 2);
    }
#pragma GCC unroll 16
    for (std::size_t step = 0; step < kFetchStep; ++step) {
      multiply_step<kRows, kPanels>(acc, a + step, lda, b + step * kPanel, panel_stride);
    }
    a += kFetchStep;
    b += kFetchStep * kPanel;
  }
  for (; p < k; ++p, ++a, b += kPanel) {
    multiply_step<kRows, kPanels>(acc, a, lda, b, panel_stride);
  }
#pragma GCC unroll 16
  for (std::size_t r = 0; r < kRows; ++r) {
#pragma GCC unroll 16
    for (std::size_t v = 0; v < kVecs; ++v) store(out + r * ld_out + v * kWidth, acc[r][v]);
  }
}

using BlockFunction = void (*)(const float*, std::size_t, const float*, std::size_t, std::size_t,
                               float*, std::size_t, Beside);

// One panel, 1 to kBlockRows rows.
template <std::size_t kLines = 1>
OCTAVO_INLINE BlockFunction block_function(std::size_t rows) {
  static constexpr BlockFunction kFunctions[] = {
    nullptr,
    multiply_block<1, 1, kLines>,
    multiply_block<2, 1, kLines>,
    multiply_block<3, 1, kLines>,
    multiply_block<4, 1, kLines>,
#if !defined(OCTAVO_VEC_PORTABLE)
    multiply_block<5, 1, kLines>,
    multiply_block<6, 1, kLines>,
#if !defined(OCTAVO_VEC_AVX2)
    multiply_block<7, 1, kLines>,
    multiply_block<8, 1, kLines>,
    multiply_block<9, 1, kLines>,
    multiply_block<10, 1, kLines>,
    multiply_block<11, 1, kLines>,
    multiply_block<12, 1, kLines>,
#endif
#endif
  };
  static_assert(sizeof(kFunctions) / sizeof(kFunctions[0]) == kBlockRows + 1);
  return kFunctions[rows];
}

// `rows` rows as evenly filled blocks as possible: a block of one row costs nearly as much as one
// of four.
template <class Body>
OCTAVO_INLINE void for_each_block(std::size_t rows, Body body) {
  std::size_t blocks = (rows + kBlockRows - 1) / kBlockRows;
  for (std::size_t r = 0; r < rows; --blocks) {
    const std::size_t take = (rows - r + blocks - 1) / blocks;
    body(r, take);
    r += take;
  }
}

// rows x columns floats, at most kWidth of each, transposed: to[j * kPanel + i] = from[i * stride +
// j]. All kWidth floats of a line of `to` are written, zeros after `rows`.
OCTAVO_INLINE void transpose_partial(const float* from, std::size_t stride, std::size_t rows,
                                     std::size_t columns, float* to) {
  if (rows == kWidth && columns == kWidth) return transpose_block(from, stride, to, kPanel);
  alignas(64) float in[kWidth * kWidth], out[kWidth * kWidth];
  for (std::size_t i = 0; i < kWidth; ++i) {
    store(in + i * kWidth, i < rows ? load_partial(from + i * stride, columns) : set(0.0f));
  }
  transpose_block(in, kWidth, out, kWidth);
  for (std::size_t j = 0; j < columns; ++j) store(to + j * kPanel, load(out + j * kWidth));
}

// Columns of B (element (p, j) at b[p * row_stride + j * column_stride]) into panels of [k,
// kPanel], zeros after column n.
inline void pack_panels(const float* b, std::size_t row_stride, std::size_t column_stride,
                        std::size_t k, std::size_t n, float* packed, std::size_t first_panel,
                        std::size_t last_panel) {
  for (std::size_t v = 2 * first_panel; v < 2 * last_panel; ++v) {
    const std::size_t first = v * kWidth;
    const std::size_t columns = first < n ? at_most(n - first) : 0;
    float* to = packed + v / 2 * kPanel * k + v % 2 * kWidth;
    const float* from = columns == 0 ? b : b + first * column_stride;
    if (column_stride == 1 || columns == 0) {
      for (std::size_t p = 0; p < k; ++p) {
        store(to + p * kPanel, load_partial(from + p * row_stride, columns));
      }
    } else if (row_stride == 1) {
      for (std::size_t p = 0; p < k; p += kWidth) {
        transpose_partial(from + p, column_stride, columns, at_most(k - p), to + p * kPanel);
      }
    } else {
      for (std::size_t p = 0; p < k; ++p) {
        for (std::size_t j = 0; j < kWidth; ++j) {
          to[p * kPanel + j] = j < columns ? from[p * row_stride + j * column_stride] : 0.0f;
        }
      }
    }
  }
}

}  // namespace
}  // namespace octavo::kernels
