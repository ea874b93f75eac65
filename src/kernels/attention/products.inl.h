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
  static_assert(kQueries % kRows == 0 && kRows % 3 == 0);

  OCTAVO_INLINE static void begin() {}
  OCTAVO_INLINE static void end() {}

  __attribute__((noinline)) static void multiply(const std::byte* a, std::size_t lda,
                                                 const std::byte* b, std::size_t group_bytes,
                                                 std::size_t quads, std::size_t rows,
                                                 std::size_t groups, Sum* sums, std::size_t ld) {
    std::size_t g = 0;
    for (; g + kGroups <= groups; g += kGroups) {
      for (std::size_t r = 0; r < rows; r += kRows) {
        block<kGroups>(a + r * lda, lda, b + g * group_bytes, group_bytes, quads,
                       sums + r * ld + g * kTileRows, ld);
      }
    }
    for (; g < groups; ++g) {
      for (std::size_t r = 0; r < rows; r += kRows) {
        block<1>(a + r * lda, lda, b + g * group_bytes, group_bytes, quads,
                 sums + r * ld + g * kTileRows, ld);
      }
    }
  }

 private:
  static constexpr std::size_t kAccs = kTileRows / Dot::kColumns, kPointers = kRows / 3;

  // Adds kQuads quads. Row r is at row[r / 3], r % 3 times lda on: an address is a register and
  // none, one or two times another.
  template <std::size_t kVectors, std::size_t kQuadsAtOnce>
  OCTAVO_INLINE static void add(typename Dot::Acc (&acc)[kRows][kVectors],
                                const std::byte* (&row)[kPointers], std::size_t lda,
                                const std::byte*& b, std::size_t group_bytes) {
#pragma GCC unroll 4
    for (std::size_t quad = 0; quad < kQuadsAtOnce; ++quad) {
      typename Dot::B y[kVectors];
#pragma GCC unroll 16
      for (std::size_t v = 0; v < kVectors; ++v) {
        y[v] = Dot::load_b(b + quad * kTileBytes + v / kAccs * group_bytes +
                           v % kAccs * Dot::kColumns * 4);
      }
#pragma GCC unroll 16
      for (std::size_t r = 0; r < kRows; ++r) {
        const typename Dot::A x = Dot::broadcast_a(row[r / 3] + r % 3 * lda + quad * 4);
#pragma GCC unroll 16
        for (std::size_t v = 0; v < kVectors; ++v) acc[r][v] = Dot::dot(acc[r][v], x, y[v]);
      }
    }
    b += kQuadsAtOnce * kTileBytes;
#pragma GCC unroll 16
    for (std::size_t i = 0; i < kPointers; ++i) row[i] += kQuadsAtOnce * 4;
  }

  template <std::size_t kColumnGroups>
  OCTAVO_INLINE static void block(const std::byte* a, std::size_t lda, const std::byte* b,
                                  std::size_t group_bytes, std::size_t quads, Sum* sums,
                                  std::size_t ld) {
    typename Dot::Acc acc[kRows][kColumnGroups * kAccs];
#pragma GCC unroll 16
    for (std::size_t r = 0; r < kRows; ++r) {
#pragma GCC unroll 16
      for (std::size_t v = 0; v < kColumnGroups * kAccs; ++v) acc[r][v] = Dot::zero();
    }
    const std::byte* row[kPointers];
#pragma GCC unroll 16
    for (std::size_t i = 0; i < kPointers; ++i) {
      row[i] = a + 3 * i * lda;
      // Else the compiler computes twelve addresses from one.
      asm("" : "+r"(row[i]));
    }
    for (; quads >= 4; quads -= 4) {
      add<kColumnGroups * kAccs, 4>(acc, row, lda, b, group_bytes);
    }
    for (; quads > 0; --quads) add<kColumnGroups * kAccs, 1>(acc, row, lda, b, group_bytes);
#pragma GCC unroll 16
    for (std::size_t r = 0; r < kRows; ++r) {
#pragma GCC unroll 16
      for (std::size_t g = 0; g < kColumnGroups; ++g) {
        Dot::store_sums(acc[r] + g * kAccs, sums + r * ld + g * kTileRows);
      }
    }
  }
};

}  // namespace
}  // namespace octavo::kernels
