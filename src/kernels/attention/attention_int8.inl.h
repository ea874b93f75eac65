// Attention with int8 products. Include after a Vec header and the header of Products
// (products.inl.h, tile_products.inl.h).
//
// Scratch: K in groups of 16 keys, quads along the head, with a scale and a sum a key; V in groups
// of 16 columns, quads along the keys, with a scale a column; then a block of queries as bytes,
// their scores, and their P as high and low bytes.
#pragma once

#include "kernels/attention/products.inl.h"
#include "kernels/attention/rows.inl.h"

namespace octavo::kernels {
namespace {

// Offsets in bytes; every part begins on a cache line.
struct Int8Scratch {
  std::size_t head_quads, key_quads;  // quads of a row of Q, of a group of V
  std::size_t group_bytes;            // of a group of K, its quads a multiple of 16, zeros
  std::size_t query_stride, score_stride, p_stride;  // bytes, floats, bytes
  std::size_t k, k_scale, k_sum, v, v_scale, mean, query, scores, high, low, sums, bytes;
};

template <class Products>
OCTAVO_INLINE Int8Scratch int8_scratch(std::size_t tokens, std::size_t head_size) {
  constexpr std::size_t kQueries = Products::kQueries, kStep = Products::kStep;
  Int8Scratch s;
  s.head_quads = (head_size + 3) / 4;
  s.key_quads = (tokens + 3) / 4 + kStep - 1;
  const std::size_t keys = align_up(tokens, kTileRows), columns = align_up(head_size, kTileRows);
  s.query_stride = align_up(4 * s.head_quads, kTileBytes);
  s.group_bytes = s.query_stride * kTileRows;
  s.score_stride = spread_stride(keys);
  s.p_stride = spread_stride(align_up(keys, 4 * kStep) / 4 + kTileRows) * 4;
  ScratchParts parts;
  s.k = parts.take(keys / kTileRows * s.group_bytes);
  s.k_scale = parts.take(keys * sizeof(float));
  s.k_sum = parts.take(keys * sizeof(std::int32_t));
  s.v = parts.take(columns * s.key_quads * 4);
  s.v_scale = parts.take(columns * sizeof(float));
  s.mean = parts.take(columns * sizeof(float));
  s.query = parts.take(kQueries * s.query_stride);
  s.scores = parts.take(kQueries * s.score_stride * sizeof(float));
  s.high = parts.take(kQueries * s.p_stride);
  s.low = parts.take(kQueries * s.p_stride);
  s.sums = parts.take(kQueries * 2 * columns * sizeof(std::int32_t));
  s.bytes = parts.bytes;
  return s;
}

// A NaN or an infinity makes the scale NaN, and with it all that the row touches.
struct RowScale {
  float scale, inverse;
};
OCTAVO_INLINE RowScale row_scale(float top) {
  const bool finite = top < __builtin_inff();
  return {finite ? top / 127.0f : __builtin_nanf(""), finite && top > 1e-30f ? 127.0f / top : 0.0f};
}

// x - mean of a row as bytes + 128, zeros up to a whole vector; returns the scale, and the sum of
// the integers where it is wanted.
OCTAVO_INLINE float quantize_row(const float* x, const float* mean, std::size_t size,
                                 std::uint8_t* out, std::int32_t* sum_out = nullptr) {
  Vec top = set(0.0f), poison = set(0.0f);
  for (std::size_t p = 0; p < size; p += kWidth) {
    Vec v = load_partial(x + p, at_most(size - p));
    if (mean != nullptr) v = v - load(mean + p);
    top = max(abs(v), top);
    poison += v * set(0.0f);
  }
  const RowScale s = row_scale(reduce_max(top) + reduce_add(poison));
  const Vec scale = set(s.inverse);
  Vec sum = set(0.0f);
  for (std::size_t p = 0; p < size; p += kWidth) {
    Vec v = load_partial(x + p, at_most(size - p));
    if (mean != nullptr) v = v - load(mean + p);
    v = v * scale;
    store_u8(out + p, v);
    sum += round_even(v);
  }
  if (sum_out != nullptr) {
    const float total = reduce_add(sum);
    *sum_out = total == total ? static_cast<std::int32_t>(total) : 0;
  }
  return s.scale;
}

inline void pack_keys(const AttentionArgs& args, const Int8Scratch& s, std::byte* scratch) {
  const std::size_t size = args.head_size;
  auto* mean = reinterpret_cast<float*>(scratch + s.mean);
  auto* scales = reinterpret_cast<float*>(scratch + s.k_scale);
  auto* sums = reinterpret_cast<std::int32_t*>(scratch + s.k_sum);
  const Vec share = set(1.0f / static_cast<float>(args.tokens));
  for (std::size_t p = 0; p < align_up(size, kTileRows); p += kWidth) {
    Vec sum = set(0.0f);
    if (p < size) {
      for (std::size_t j = 0; j < args.tokens; ++j) {
        if (p == 0) fetch_row(args, args.k, args.ld_k, j + kFetchAhead);
        sum += load_partial(args.k + j * args.ld_k + p, at_most(size - p));
      }
    }
    store(mean + p, sum * share);
  }
  // Sixteen rows as bytes, then their quads transposed.
  auto* rows = reinterpret_cast<float*>(scratch + s.query);
  const std::size_t stride = s.query_stride / sizeof(float), group_bytes = s.group_bytes;
  std::memset(rows, 128, kTileRows * s.query_stride);
  for (std::size_t first = 0; first < args.tokens; first += kTileRows) {
    const std::size_t left = args.tokens - first, count = left < kTileRows ? left : kTileRows;
    for (std::size_t j = 0; j < count; ++j) {
      std::int32_t sum = 0;
      scales[first + j] = quantize_row(args.k + (first + j) * args.ld_k, mean, size,
                                       reinterpret_cast<std::uint8_t*>(rows + j * stride), &sum);
      sums[first + j] = 128 * sum;
    }
    std::byte* group = scratch + s.k + first / kTileRows * group_bytes;
    for (std::size_t quad = 0; quad < stride; quad += kWidth) {
      for (std::size_t j = 0; j < kTileRows; j += kWidth) {
        transpose_block(rows + j * stride + quad, stride,
                        reinterpret_cast<float*>(group) + quad * kTileRows + j, kTileRows);
      }
    }
    for (std::size_t p = 0; p < group_bytes; ++p) group[p] ^= std::byte{128};
  }
}

inline void pack_values(const AttentionArgs& args, const Int8Scratch& s, std::byte* scratch) {
  auto* scales = reinterpret_cast<float*>(scratch + s.v_scale);
  const std::size_t size = args.head_size, tokens = args.tokens;
  for (std::size_t p = 0; p < align_up(size, kTileRows); p += kWidth) {
    const std::size_t left = p < size ? at_most(size - p) : 0;
    const auto row = [&](std::size_t j) {
      return j < tokens ? load_partial(args.v + j * args.ld_v + p, left) : set(0.0f);
    };
    Vec top = set(0.0f), poison = set(0.0f);
    for (std::size_t j = 0; j < tokens; ++j) {
      if (p == 0) fetch_row(args, args.v, args.ld_v, j + kFetchAhead);
      const Vec v = row(j);
      top = max(abs(v), top);
      poison += v * set(0.0f);
    }
    top += poison;
    alignas(64) float inverse[kWidth];
    store(inverse, top);
    for (std::size_t i = 0; i < kWidth; ++i) {
      const RowScale scale = row_scale(inverse[i]);
      scales[p + i] = scale.scale;
      inverse[i] = scale.inverse;
    }
    const Vec factor = load(inverse);
    std::byte* to = scratch + s.v + p / kTileRows * s.key_quads * kTileBytes + p % kTileRows * 4;
    for (std::size_t quad = 0; quad < s.key_quads; ++quad, to += kTileBytes) {
      store_quads(to, row(4 * quad) * factor, row(4 * quad + 1) * factor,
                  row(4 * quad + 2) * factor, row(4 * quad + 3) * factor);
    }
  }
}

// x[0, count): int32 sums become scores; returns the largest.
OCTAVO_INLINE float scale_scores(const Int8Scratch& s, const std::byte* scratch, float query_scale,
                                 std::size_t first, float* x, std::size_t count) {
  const auto* scales = reinterpret_cast<const float*>(scratch + s.k_scale) + first;
  const auto* sums = reinterpret_cast<const std::int32_t*>(scratch + s.k_sum) + first;
  const auto* ints = reinterpret_cast<const std::int32_t*>(x);
  const Vec factor = set(query_scale);
  const auto scores = [&](std::size_t p) {
    return load_int(ints + p, sums + p) * (load(scales + p) * factor);
  };
  float top = -__builtin_inff();
  if (count < kWidth) {
    for (std::size_t p = 0; p < count; ++p) {
      x[p] = static_cast<float>(ints[p] - sums[p]) * (scales[p] * query_scale);
      top = x[p] > top ? x[p] : top;
    }
    return top;
  }
  // The last vector overlaps the one before, whose integers are gone by then.
  const Vec last = scores(count - kWidth);
  Vec top0 = max(last, set(top)), top1 = top0;
  std::size_t p = 0;
  for (; p + 2 * kWidth <= count; p += 2 * kWidth) {
    const Vec x0 = scores(p), x1 = scores(p + kWidth);
    store(x + p, x0);
    store(x + p + kWidth, x1);
    top0 = max(x0, top0);
    top1 = max(x1, top1);
  }
  if (p + kWidth <= count) {
    const Vec x0 = scores(p);
    store(x + p, x0);
    top0 = max(x0, top0);
  }
  store(x + count - kWidth, last);
  return reduce_max(max(top0, top1));
}

// 65535 2^r to 1.5e-7.
constexpr float kExpTimes65535[] = {65535.0f * 0x1.fffffep-1f, 65535.0f * 0x1.62e4f6p-1f,
                                    65535.0f * 0x1.ebd5a8p-3f, 65535.0f * 0x1.c95446p-5f,
                                    65535.0f * 0x1.26900cp-7f, 65535.0f * 0x1.ec320ap-10f};

// exp(x - top) * 65535 as bytes; returns the sum of what was stored. Bytes to the end of the last
// vector are written, 0 from count on.
OCTAVO_INLINE float quantize_exponentials(const float* x, std::size_t count, float top,
                                          std::uint8_t* high, std::uint8_t* low) {
  const Vec shift = set(top), round = set(12582912.0f);
  const auto steps = [&](Vec v) { return (exp_below(v - shift, kExpTimes65535) + round) - round; };
  Vec sum0 = set(0.0f), sum1 = sum0;
  std::size_t p = 0;
  for (; p + 4 * kWidth <= count; p += 4 * kWidth) {
    const Vec e[4] = {steps(load(x + p)), steps(load(x + p + kWidth)),
                      steps(load(x + p + 2 * kWidth)), steps(load(x + p + 3 * kWidth))};
    store_u16_halves(high + p, low + p, e);
    sum0 += e[0] + e[1];
    sum1 += e[2] + e[3];
  }
  for (; p < count; p += kWidth) {
    const std::size_t left = at_most(count - p);
    const Vec e = keep_first(steps(load_partial(x + p, left)), left);
    store_u16_halves(high + p, low + p, e);
    sum0 += e;
  }
  return reduce_add(sum0 + sum1);
}

template <class Products>
void attend_int8_block(const AttentionArgs& args, const Int8Scratch& s, std::size_t first,
                       std::size_t rows) {
  constexpr std::size_t kQueries = Products::kQueries, kStep = Products::kStep;
  auto* scratch = reinterpret_cast<std::byte*>(args.scratch);
  const std::size_t size = args.head_size;
  const Reach block = reach_of(args, first, rows);
  const std::size_t key_begin = block.low / kTileRows * kTileRows;

  auto* query = reinterpret_cast<std::uint8_t*>(scratch + s.query);
  float query_scale[kQueries];
  for (std::size_t r = 0; r < rows; ++r) {
    fetch_row(args, args.q, args.ld_q, first + r + kFetchAhead);
    query_scale[r] =
        quantize_row(args.q + (first + r) * args.ld_q, nullptr, size, query + r * s.query_stride) *
        args.scale;
  }
  auto* scores = reinterpret_cast<float*>(scratch + s.scores);
  Products::multiply(scratch + s.query, s.query_stride,
                     scratch + s.k + key_begin / kTileRows * s.group_bytes, s.group_bytes,
                     s.head_quads, rows, (block.high - key_begin + kTileRows - 1) / kTileRows,
                     reinterpret_cast<std::int32_t*>(scores), s.score_stride);

  auto* high_bytes = reinterpret_cast<std::uint8_t*>(scratch + s.high);
  auto* low_bytes = reinterpret_cast<std::uint8_t*>(scratch + s.low);
  const std::size_t quads = align_up((block.high - key_begin + 3) / 4, kStep);
  float inverse[kQueries];
  for (std::size_t r = 0; r < rows; ++r) {
    const auto [low, high] = reach_of(args, first + r, 1);
    const std::size_t skip = low - key_begin, count = high - low;
    float* x = scores + r * s.score_stride + skip;
    float top = scale_scores(s, scratch, query_scale[r], low, x, count);
    if (args.relative_bias != nullptr) {
      add_relative_bias(args, first + r, low, x, count);
      top = row_max(x, count);
    }
    std::uint8_t *ph = high_bytes + r * s.p_stride, *pl = low_bytes + r * s.p_stride;
    inverse[r] = 1.0f / quantize_exponentials(x, count, top, ph + skip, pl + skip);
    for (std::size_t p = 0; p < skip; ++p) ph[p] = pl[p] = 0;
    for (std::size_t p = skip + count; p < 4 * quads; ++p) ph[p] = pl[p] = 0;
  }

  const std::size_t columns = align_up(size, kTileRows), ld = 2 * columns;
  auto* sums = reinterpret_cast<std::int32_t*>(scratch + s.sums);
  const std::byte* v = scratch + s.v + key_begin / 4 * kTileBytes;
  for (const bool is_low : {false, true}) {
    Products::multiply(scratch + (is_low ? s.low : s.high), s.p_stride, v, s.key_quads * kTileBytes,
                       quads, rows, columns / kTileRows, sums + (is_low ? columns : 0), ld);
  }
  const auto* scales = reinterpret_cast<const float*>(scratch + s.v_scale);
  alignas(64) const std::int32_t zeros[kWidth] = {};
  for (std::size_t r = 0; r < rows; ++r) {
    const Vec factor = set(inverse[r]);
    float* out = args.out + (first + r) * args.ld_out;
    for (std::size_t p = 0; p < size; p += kWidth) {
      const std::int32_t* at = sums + r * ld + p;
      const Vec sum = fma(load_int(at, zeros), set(256.0f), load_int(at + columns, zeros));
      store_partial(out + p, sum * (load(scales + p) * factor), at_most(size - p));
    }
  }
}

template <class Products>
OCTAVO_INLINE void attention_int8(const AttentionArgs& args) {
  constexpr std::size_t kQueries = Products::kQueries;
  const Int8Scratch s = int8_scratch<Products>(args.tokens, args.head_size);
  auto* scratch = reinterpret_cast<std::byte*>(args.scratch);
  pack_keys(args, s, scratch);
  pack_values(args, s, scratch);
  Products::begin();
  for (std::size_t first = 0; first < args.tokens; first += kQueries) {
    const std::size_t left = args.tokens - first;
    attend_int8_block<Products>(args, s, first, left < kQueries ? left : kQueries);
  }
  Products::end();
}

}  // namespace
}  // namespace octavo::kernels

// Defines the functions that kernels.inc names, in octavo::kernels::space. Last the Products.
#define OCTAVO_DEFINE_ATTENTION_INT8(space, ...)                                                \
  namespace octavo::kernels::space {                                                            \
  std::size_t attention_scratch(std::size_t tokens, std::size_t head_size) noexcept {           \
    return int8_scratch<__VA_ARGS__>(tokens, head_size).bytes / sizeof(float);                  \
  }                                                                                             \
  void attention_run(const AttentionArgs& args) noexcept { attention_int8<__VA_ARGS__>(args); } \
  }
