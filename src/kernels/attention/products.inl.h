// The products of the int8 and bfloat16 attention by vectors. Include after a Vec header and the
// header of a Dot (gemm/gemm.inl.h says what that is). What attention asks of its products:
//   kQueries     queries of a block
//   kStep        quads are taken so many at a time: the operands hold a multiple of them, and what
//                one has beyond its end meets zeros (and, in bfloat16, finite numbers) of the other
//   begin, end   around all products of a call
//   multiply     rows of `quads` quads, lda bytes apart, times groups of 16 columns, group_bytes
//                apart: the sum of row r and column j at sums[r * ld + j]. Rows past `rows` up to
//                kQueries may be computed too: the buffers hold them, their sums are not used.
#pragma once

#include <cstring>

#include "kernels/gemm/layout.h"

namespace octavo::kernels {
namespace {

OCTAVO_INLINE std::size_t align_up(std::size_t n, std::size_t step) {
  return (n + step - 1) / step * step;
}

// Hands out parts of the scratch, each from a cache line on.
struct ScratchParts {
  std::size_t bytes = 0;
  OCTAVO_INLINE std::size_t take(std::size_t count) {
    const std::size_t from = bytes;
    bytes += align_up(count, kTileBytes);
    return from;
  }
};

template <class Dot>
struct VectorProducts {
  using Sum = typename Dot::Sum;
  static constexpr std::size_t kQueries = 24, kStep = 1;
  static constexpr std::size_t kRows = Dot::kAttentionRows, kGroups = Dot::kAttentionGroups;
  static constexpr std::size_t kFewRows = kRows * 2 / 3;
  static_assert(kQueries % kRows == 0 && kRows % 3 == 0);

  OCTAVO_INLINE static void begin() {}
  OCTAVO_INLINE static void end() {}

  __attribute__((noinline)) static void multiply(const std::byte* a, std::size_t lda,
                                                 const std::byte* b, std::size_t group_bytes,
                                                 std::size_t quads, std::size_t rows,
                                                 std::size_t groups, Sum* sums, std::size_t ld) {
    std::size_t g = 0;
    for (; g + kGroups <= groups; g += kGroups) {
      columns<kGroups>(a, lda, b + g * group_bytes, group_bytes, quads, rows, sums + g * kTileRows,
                       ld);
    }
    for (; g < groups; ++g) {
      columns<1>(a, lda, b + g * group_bytes, group_bytes, quads, rows, sums + g * kTileRows, ld);
    }
  }

 private:
  static constexpr std::size_t kAccs = kTileRows / Dot::kColumns;

  // Some groups of columns: blocks of kRows, and one or two of fewer where that computes less.
  template <std::size_t kColumnGroups>
  OCTAVO_INLINE static void columns(const std::byte* a, std::size_t lda, const std::byte* b,
                                    std::size_t group_bytes, std::size_t quads, std::size_t rows,
                                    Sum* sums, std::size_t ld) {
    std::size_t r = 0;
    for (; rows - r > 2 * kFewRows || (rows - r > kFewRows && rows - r <= kRows); r += kRows) {
      block<kRows, kColumnGroups>(a + r * lda, lda, b, group_bytes, quads, sums + r * ld, ld);
      if (r + kRows >= rows) return;
    }
    for (; r < rows; r += kFewRows) {
      block<kFewRows, kColumnGroups>(a + r * lda, lda, b, group_bytes, quads, sums + r * ld, ld);
    }
  }

  // Adds kQuads quads. Row r is at row[r / 3], r % 3 times lda on: an address is a register and
  // none, one or two times another.
  template <std::size_t kQuads, std::size_t kBlock, std::size_t kVectors, std::size_t kPointers>
  OCTAVO_INLINE static void add(typename Dot::Acc (&acc)[kBlock][kVectors],
                                const std::byte* (&row)[kPointers], std::size_t lda,
                                const std::byte*& b, std::size_t group_bytes) {
#pragma GCC unroll 4
    for (std::size_t quad = 0; quad < kQuads; ++quad) {
      typename Dot::B y[kVectors];
#pragma GCC unroll 16
      for (std::size_t v = 0; v < kVectors; ++v) {
        y[v] = Dot::load_b(b + quad * kTileBytes + v / kAccs * group_bytes +
                           v % kAccs * Dot::kColumns * 4);
      }
#pragma GCC unroll 16
      for (std::size_t r = 0; r < kBlock; ++r) {
        const typename Dot::A x = Dot::broadcast_a(row[r / 3] + r % 3 * lda + quad * 4);
#pragma GCC unroll 16
        for (std::size_t v = 0; v < kVectors; ++v) acc[r][v] = Dot::dot(acc[r][v], x, y[v]);
      }
    }
    b += kQuads * kTileBytes;
#pragma GCC unroll 16
    for (std::size_t i = 0; i < kPointers; ++i) row[i] += kQuads * 4;
  }

  template <std::size_t kBlock, std::size_t kColumnGroups>
  OCTAVO_INLINE static void block(const std::byte* a, std::size_t lda, const std::byte* b,
                                  std::size_t group_bytes, std::size_t quads, Sum* sums,
                                  std::size_t ld) {
    typename Dot::Acc acc[kBlock][kColumnGroups * kAccs];
#pragma GCC unroll 16
    for (std::size_t r = 0; r < kBlock; ++r) {
#pragma GCC unroll 16
      for (std::size_t v = 0; v < kColumnGroups * kAccs; ++v) acc[r][v] = Dot::zero();
    }
    const std::byte* row[(kBlock + 2) / 3];
#pragma GCC unroll 16
    for (std::size_t i = 0; i < (kBlock + 2) / 3; ++i) {
      row[i] = a + 3 * i * lda;
      // Else the compiler computes all addresses from one.
      asm("" : "+r"(row[i]));
    }
    for (; quads >= 4; quads -= 4) add<4>(acc, row, lda, b, group_bytes);
    for (; quads > 0; --quads) add<1>(acc, row, lda, b, group_bytes);
#pragma GCC unroll 16
    for (std::size_t r = 0; r < kBlock; ++r) {
#pragma GCC unroll 16
      for (std::size_t g = 0; g < kColumnGroups; ++g) {
        Dot::store_sums(acc[r] + g * kAccs, sums + r * ld + g * kTileRows);
      }
    }
  }
};

}  // namespace
}  // namespace octavo::kernels
