// Packed products with AVX2: int8 widened to int16 (vpmaddubsw would saturate), bfloat16 widened to
// float32.
#if defined(__x86_64__)
#include "kernels/simd/avx2.h"
//
#include "kernels/gemm/dot_avx2.inl.h"
#include "kernels/gemm/gemm.inl.h"

namespace octavo::kernels {
namespace {

// A register holds the four int16 products of four columns, as two int32 sums a column.
struct DotMadd {
  using Sum = std::int32_t;
  using Acc = __m256i;
  using A = __m256i;
  using B = __m256i;
  static constexpr GemmType kType = GemmType::kInt8;
  static constexpr std::size_t kColumns = 4, kRows = 3, kRegisters = 12;
  OCTAVO_INLINE static Acc zero() { return _mm256_setzero_si256(); }
  OCTAVO_INLINE static B load_b(const std::byte* p) {
    return _mm256_cvtepi8_epi16(_mm_load_si128(reinterpret_cast<const __m128i*>(p)));
  }
  OCTAVO_INLINE static A broadcast_a(const std::byte* p) {
    return _mm256_broadcastq_epi64(_mm_cvtepu8_epi16(_mm_cvtsi32_si128(load_quad(p))));
  }
  OCTAVO_INLINE static Acc dot(Acc acc, A a, B b) {
    return _mm256_add_epi32(acc, _mm256_madd_epi16(a, b));
  }
  OCTAVO_INLINE static void store_sums(const Acc* acc, Sum* out) {
    for (int half = 0; half < 2; ++half) {
      const __m256i sums = _mm256_hadd_epi32(acc[2 * half], acc[2 * half + 1]);
      _mm256_store_si256(reinterpret_cast<__m256i*>(out + 8 * half),
                         _mm256_permute4x64_epi64(sums, 0xd8));
    }
  }
};

// The same sums with both operands widened beforehand, part by part: B once for a chunk of rows, A
// once for a slab of B. A widened tile keeps the order of the bytes.
constexpr std::size_t kWideRows = 6, kWideChunk = 128;
constexpr std::size_t kWideTiles = 16;  // along K
constexpr std::size_t kWideGroups = 6;
constexpr std::size_t kWideLd = kWideGroups * kTileRows;  // of the sums

// Eight columns; b is the first quad of them. The sums of more K are added when `more`.
template <std::size_t kRows>
__attribute__((noinline)) void wide_block(const std::int16_t* a, std::size_t row_stride,
                                          const std::int16_t* b, std::size_t quads,
                                          std::int32_t* sums, bool more) {
  __m256i acc[kRows][2];
#pragma GCC unroll 16
  for (std::size_t r = 0; r < kRows; ++r) acc[r][0] = acc[r][1] = _mm256_setzero_si256();
#pragma GCC unroll 2
  for (std::size_t quad = 0; quad < quads; ++quad, a += 4, b += kTileBytes) {
    const __m256i y0 = _mm256_load_si256(reinterpret_cast<const __m256i*>(b));
    const __m256i y1 = _mm256_load_si256(reinterpret_cast<const __m256i*>(b + 16));
#pragma GCC unroll 16
    for (std::size_t r = 0; r < kRows; ++r) {
      std::int64_t four;
      std::memcpy(&four, a + r * row_stride, sizeof four);
      const __m256i x = _mm256_set1_epi64x(four);
      acc[r][0] = _mm256_add_epi32(acc[r][0], _mm256_madd_epi16(x, y0));
      acc[r][1] = _mm256_add_epi32(acc[r][1], _mm256_madd_epi16(x, y1));
    }
  }
#pragma GCC unroll 16
  for (std::size_t r = 0; r < kRows; ++r) {
    auto* to = reinterpret_cast<__m256i*>(sums + r * kWideLd);
    __m256i eight = _mm256_permute4x64_epi64(_mm256_hadd_epi32(acc[r][0], acc[r][1]), 0xd8);
    if (more) eight = _mm256_add_epi32(eight, _mm256_load_si256(to));
    _mm256_store_si256(to, eight);
  }
}

OCTAVO_INLINE void wide_rows(std::size_t rows, const std::int16_t* a, std::size_t row_stride,
                             const std::int16_t* b, std::size_t quads, std::int32_t* sums,
                             bool more) {
  static constexpr decltype(&wide_block<1>) kFunctions[] = {
      wide_block<1>, wide_block<2>, wide_block<3>, wide_block<4>, wide_block<5>, wide_block<6>};
  kFunctions[rows - 1](a, row_stride, b, quads, sums, more);
  kFunctions[rows - 1](a, row_stride, b + 32, quads, sums + 8, more);
}

// 64 bytes of a row, unsigned.
OCTAVO_INLINE void widen_row(const std::byte* from, std::int16_t* to) {
#pragma GCC unroll 4
  for (std::size_t p = 0; p < kTileBytes; p += 16) {
    const __m128i x = _mm_load_si128(reinterpret_cast<const __m128i*>(from + p));
    _mm256_store_si256(reinterpret_cast<__m256i*>(to + p), _mm256_cvtepu8_epi16(x));
  }
}

// Rows [first_row, last_row), at most kWideChunk, and at most kWideGroups groups.
OCTAVO_INLINE void gemm_wide_slab(const GemmArgs& args, std::size_t first_row, std::size_t last_row,
                                  std::size_t group, std::size_t groups) {
  alignas(64) std::int16_t wide_a[kWideRows * kWideTiles * kTileBytes];
  alignas(64) std::int16_t wide_b[kWideGroups * kWideTiles * kTileSize];
  alignas(64) std::int32_t sums[kWideChunk * kWideLd];
  const std::size_t tiles = gemm_tiles(GemmType::kInt8, args.k);
  std::size_t first = 0, end = 0;  // tiles
  do {
    end = tiles - first < kWideTiles ? tiles : first + kWideTiles;
    const std::size_t count = end - first, row_stride = count * kTileBytes;
    for (std::size_t g = 0; g < groups; ++g) {
      const std::byte* b = args.b + ((group + g) * tiles + first) * kTileSize;
      std::int16_t* to = wide_b + g * count * kTileSize;
      for (std::size_t p = 0; p < count * kTileSize; p += 16) {
        _mm256_store_si256(reinterpret_cast<__m256i*>(to + p), DotMadd::load_b(b + p));
      }
    }
    std::size_t blocks = (last_row - first_row + kWideRows - 1) / kWideRows;
    for (std::size_t row = first_row; row < last_row; --blocks) {
      const std::size_t take = (last_row - row + blocks - 1) / blocks;
      for (std::size_t r = 0; r < take; ++r) {
        const std::byte* a = args.a + gemm_row_offset(row + r, tiles * kTileBytes);
        for (std::size_t tile = first; tile < end; ++tile) {
          widen_row(a + tile * kTileSize, wide_a + r * row_stride + (tile - first) * kTileBytes);
        }
      }
      std::int32_t* to = sums + (row - first_row) * kWideLd;
      for (std::size_t g = 0; g < groups; ++g) {
        wide_rows(take, wide_a, row_stride, wide_b + g * count * kTileSize, count * kQuads,
                  to + g * kTileRows, first != 0);
      }
      if (end == tiles) finish_block(args, to, kWideLd, row, take, group, groups);
      row += take;
    }
    first = end;
  } while (first < tiles);
}

OCTAVO_INLINE void gemm_wide(const GemmArgs& args, std::size_t first_row, std::size_t last_row,
                             std::size_t first_group, std::size_t last_group) {
  if (last_row - first_row < kWideRows) {
    return gemm<DotMadd>(args, first_row, last_row, first_group, last_group);
  }
  for (std::size_t row = first_row; row < last_row; row += kWideChunk) {
    const std::size_t end = last_row - row < kWideChunk ? last_row : row + kWideChunk;
    for (std::size_t group = first_group; group < last_group; group += kWideGroups) {
      const std::size_t left = last_group - group;
      gemm_wide_slab(args, row, end, group, left < kWideGroups ? left : kWideGroups);
    }
  }
}

struct Pair {
  __m256 low, high;
};

OCTAVO_INLINE Pair widen(__m256i pairs) {
  return {_mm256_castsi256_ps(_mm256_slli_epi32(pairs, 16)),
          _mm256_castsi256_ps(_mm256_and_si256(pairs, _mm256_set1_epi32(-65536)))};
}

struct DotWiden {
  using Sum = float;
  using Acc = __m256;
  using A = Pair;
  using B = Pair;
  static constexpr GemmType kType = GemmType::kBf16;
  static constexpr std::size_t kColumns = 8, kRows = 4, kRegisters = 8;
  OCTAVO_INLINE static Acc zero() { return _mm256_setzero_ps(); }
  OCTAVO_INLINE static B load_b(const std::byte* p) { return widen(load_256(p)); }
  OCTAVO_INLINE static A broadcast_a(const std::byte* p) {
    return widen(_mm256_set1_epi32(load_quad(p)));
  }
  OCTAVO_INLINE static Acc dot(Acc acc, A a, B b) {
    return _mm256_fmadd_ps(a.high, b.high, _mm256_fmadd_ps(a.low, b.low, acc));
  }
  OCTAVO_INLINE static void store_sums(const Acc* acc, Sum* out) {
    _mm256_store_ps(out, acc[0]);
    _mm256_store_ps(out + 8, acc[1]);
  }
};

}  // namespace
}  // namespace octavo::kernels

namespace octavo::kernels::avx2_int8 {
void gemm_run(const GemmArgs& args, std::size_t first_row, std::size_t last_row,
              std::size_t first_group, std::size_t last_group) noexcept {
  gemm_wide(args, first_row, last_row, first_group, last_group);
}
}  // namespace octavo::kernels::avx2_int8
OCTAVO_DEFINE_GEMM(avx2_bf16, DotWiden)
#endif
