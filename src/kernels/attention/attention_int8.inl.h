// Attention with int8 products. Include after a Vec header and the header of Products
// (products.inl.h, tile_products.inl.h).
//
// Scratch: K in groups of 16 keys, quads along the head, with a scale and a sum a key; V in groups
// of 16 columns, quads along the keys, with a scale a column; then a block of queries as bytes,
// their scores, and their P as high and low bytes.
#pragma once

#include "kernels/attention/pack_int8.inl.h"
#include "kernels/attention/products.inl.h"

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

// x[0, count): int32 sums become scores, times factor where kScaled; the largest are in tops.
template <bool kScaled>
OCTAVO_INLINE void scale_scores(const Int8Scratch& s, const std::byte* scratch, float factor,
                                std::size_t first, float* x, std::size_t count, float* tops) {
  const auto* scales = reinterpret_cast<const float*>(scratch + s.k_scale) + first;
  const auto* sums = reinterpret_cast<const std::int32_t*>(scratch + s.k_sum) + first;
  const auto* ints = reinterpret_cast<const std::int32_t*>(x);
  const Vec factors = set(factor);
  const auto scores = [&](std::size_t p) {
    const Vec score = load_int(ints + p, sums + p) * load(scales + p);
    return kScaled ? score * factors : score;
  };
  if (count < kWidth) {
    float top = -__builtin_inff();
    for (std::size_t p = 0; p < count; ++p) {
      x[p] = static_cast<float>(ints[p] - sums[p]) * scales[p];
      if (kScaled) x[p] *= factor;
      top = x[p] > top ? x[p] : top;
    }
    return store(tops, set(top));
  }
  // The last vector overlaps the one before, whose integers are gone by then.
  const Vec last = scores(count - kWidth);
  Vec top0 = max(last, set(-__builtin_inff())), top1 = top0;
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
  store(tops, max(top0, top1));
}

// 65535 2^r to 2.7e-6.
constexpr float kExp2Times65535[] = {0x1.fffe58p+15f, 0x1.62d004p+15f, 0x1.ee779cp+13f,
                                     0x1.aa1246p+11f, 0x1.bb7b1ap+9f};

// 65535 2^(factor x + shift), rounded to bytes, and the sums in `sums`. Bytes to the end of the
// last vector are written, 0 from count on.
OCTAVO_INLINE void quantize_exponentials(const float* x, std::size_t count, float factor,
                                         float shift, std::uint8_t* high, std::uint8_t* low,
                                         float* sums) {
  const Vec factors = set(factor), shifts = set(shift);
  const auto p_of = [&](Vec v) { return exp2_below(fma(v, factors, shifts), kExp2Times65535); };
  Vec sum0 = set(0.0f), sum1 = sum0;
  std::size_t p = 0;
  for (; p + 4 * kWidth <= count; p += 4 * kWidth) {
    const Vec e[4] = {p_of(load(x + p)), p_of(load(x + p + kWidth)), p_of(load(x + p + 2 * kWidth)),
                      p_of(load(x + p + 3 * kWidth))};
    store_u16_halves(high + p, low + p, e);
    sum0 += e[0] + e[1];
    sum1 += e[2] + e[3];
  }
  for (; p < count; p += kWidth) {
    const std::size_t left = at_most(count - p);
    const Vec e = keep_first(p_of(load_partial(x + p, left)), left);
    store_u16_halves(high + p, low + p, e);
    sum0 += e;
  }
  store(sums, sum0 + sum1);
}

// The P of up to kTileRows rows from `first` on, whose scores begin with those of key block.low.
// Brings near what comes next of Q and of the output.
OCTAVO_INLINE void softmax_rows(const AttentionArgs& args, const Int8Scratch& s, std::byte* scratch,
                                std::size_t first, std::size_t rows, Reach block, float* scores,
                                std::uint8_t* high_bytes, std::uint8_t* low_bytes, float* factor,
                                float* inverse, std::size_t ahead) {
  alignas(64) float lanes[kTileRows * kWidth], shift[kTileRows];
  for (std::size_t r = 0; r < kTileRows; ++r) store(lanes + r * kWidth, set(0.0f));
  for (std::size_t r = 0; r < rows; ++r) {
    const auto [low, high] = reach_of(args, first + r, 1);
    float *x = scores + r * s.score_stride + (low - block.low), *tops = lanes + r * kWidth;
    fetch_row(args, args.out, args.ld_out, first + r);
    if (args.relative_bias == nullptr && args.scale >= 0) {
      scale_scores<false>(s, scratch, 1.0f, low, x, high - low, tops);
    } else {
      scale_scores<true>(s, scratch, factor[r], low, x, high - low, tops);
      if (args.relative_bias != nullptr) add_relative_bias(args, first + r, low, x, high - low);
      store(tops, set(row_max(x, high - low)));
      factor[r] = 1.0f;
    }
  }
  const auto max_of = [](Vec a, Vec b) { return max(a, b); };
  for (std::size_t r = 0; r < rows; r += kWidth) {
    // Two units lower, so that nothing is above 0 and no P above 65535.
    const Vec f = load(factor + r) * set(kLog2E);
    const Vec highest = combine_rows(lanes + r * kWidth, max_of) * f;
    store(factor + r, f);
    store(shift + r, set(0.0f) - highest - abs(highest) * set(0x1p-23f));
  }
  for (std::size_t r = 0; r < rows; ++r) {
    const auto [low, high] = reach_of(args, first + r, 1);
    const std::size_t skip = low - block.low, end = high - block.low;
    std::uint8_t *ph = high_bytes + r * s.p_stride, *pl = low_bytes + r * s.p_stride;
    fetch_row(args, args.q, args.ld_q, first + r + ahead);
    quantize_exponentials(scores + r * s.score_stride + skip, high - low, factor[r], shift[r],
                          ph + skip, pl + skip, lanes + r * kWidth);
    for (std::size_t p = 0; p < skip; ++p) ph[p] = pl[p] = 0;
    for (std::size_t p = end; p < block.high - block.low; ++p) ph[p] = pl[p] = 0;
  }
  const auto sum_of = [](Vec a, Vec b) { return a + b; };
  for (std::size_t r = 0; r < rows; r += kWidth) {
    store(inverse + r, set(1.0f) / combine_rows(lanes + r * kWidth, sum_of));
  }
}

// The sums of high and low bytes of P, beside each other, as the output.
OCTAVO_INLINE void write_rows(const AttentionArgs& args, const Int8Scratch& s,
                              const std::byte* scratch, std::size_t first, std::size_t rows,
                              const float* inverse) {
  const std::size_t columns = align_up(args.head_size, kTileRows), ld = 2 * columns;
  const auto* sums = reinterpret_cast<const std::int32_t*>(scratch + s.sums);
  const auto* scales = reinterpret_cast<const float*>(scratch + s.v_scale);
  for (std::size_t p = 0; p < args.head_size; p += kChunk) {
    const std::size_t left = args.head_size - p;
    with_vectors(left, [&](auto count) {
      constexpr std::size_t kVectors = decltype(count)::value;
      for (std::size_t r = 0; r < rows; ++r) {
        const Vec factor = broadcast(inverse + r);
        float* out = args.out + (first + r) * args.ld_out + p;
#pragma GCC unroll 4
        for (std::size_t i = 0; i < kVectors; ++i) {
          const std::int32_t* at = sums + r * ld + p + i * kWidth;
          const Vec sum = fma(load_int(at), set(256.0f), load_int(at + columns));
          const Vec x = sum * (load(scales + p + i * kWidth) * factor);
          if (i + 1 < kVectors) {
            store(out + i * kWidth, x);
          } else {
            store_partial(out + i * kWidth, x, at_most(left - i * kWidth));
          }
        }
      }
    });
  }
}

template <class Products>
void attend_int8_block(const AttentionArgs& args, const Int8Scratch& s, std::size_t first,
                       std::size_t rows) {
  constexpr std::size_t kQueries = Products::kQueries, kStep = Products::kStep;
  constexpr std::size_t kRows = (kQueries + kTileRows - 1) / kTileRows * kTileRows;
  auto* scratch = reinterpret_cast<std::byte*>(args.scratch);
  auto* query = reinterpret_cast<std::uint8_t*>(scratch + s.query);
  auto* scores = reinterpret_cast<float*>(scratch + s.scores);
  auto* high = reinterpret_cast<std::uint8_t*>(scratch + s.high);
  auto* low = reinterpret_cast<std::uint8_t*>(scratch + s.low);
  auto* sums = reinterpret_cast<std::int32_t*>(scratch + s.sums);
  const Reach reach = reach_of(args, first, rows);
  const std::size_t key_begin = reach.low / kTileRows * kTileRows;
  const std::size_t quads = align_up((reach.high - key_begin + 3) / 4, kStep);

  alignas(64) float factor[kRows] = {}, inverse[kRows];
  for (std::size_t r = 0; r < rows; r += kTileRows) {
    quantize_rows<false>(args.q + (first + r) * args.ld_q, args.ld_q, nullptr, args.head_size,
                         at_most_rows(rows - r), query + r * s.query_stride, s.query_stride,
                         factor + r, [](std::size_t) {});
  }
  for (std::size_t r = 0; r < kRows; ++r) factor[r] *= args.scale;
  Products::multiply(scratch + s.query, s.query_stride,
                     scratch + s.k + key_begin / kTileRows * s.group_bytes, s.group_bytes,
                     s.head_quads, rows, (reach.high - key_begin + kTileRows - 1) / kTileRows,
                     reinterpret_cast<std::int32_t*>(scores), s.score_stride);
  for (std::size_t r = 0; r < rows; r += kTileRows) {
    softmax_rows(args, s, scratch, first + r, at_most_rows(rows - r),
                 {key_begin, key_begin + 4 * quads}, scores + r * s.score_stride,
                 high + r * s.p_stride, low + r * s.p_stride, factor + r, inverse + r, kQueries);
  }
  const std::size_t columns = align_up(args.head_size, kTileRows);
  const std::byte* v = scratch + s.v + key_begin / 4 * kTileBytes;
  for (const std::size_t part : {s.high, s.low}) {
    Products::multiply(scratch + part, s.p_stride, v, s.key_quads * kTileBytes, quads, rows,
                       columns / kTileRows, sums + (part == s.low ? columns : 0), 2 * columns);
  }
  write_rows(args, s, scratch, first, rows, inverse);
}

// K, V and 128 times the sum of each key.
template <class Products>
OCTAVO_INLINE void pack_operands(const AttentionArgs& args, const Int8Scratch& s,
                                 std::byte* scratch) {
  auto* mean = reinterpret_cast<float*>(scratch + s.mean);
  auto* scores = reinterpret_cast<std::int32_t*>(scratch + s.scores);
  mean_key(args, mean);
  pack_keys(args, mean, s.query_stride, reinterpret_cast<float*>(scratch + s.query), scratch + s.k,
            s.group_bytes, reinterpret_cast<float*>(scratch + s.k_scale));
  const std::size_t groups = (args.tokens + kTileRows - 1) / kTileRows;
  std::memset(scratch + s.query, 128, s.query_stride);
  Products::multiply(scratch + s.query, s.query_stride, scratch + s.k, s.group_bytes, s.head_quads,
                     1, groups, scores, s.score_stride);
  std::memcpy(scratch + s.k_sum, scores, groups * kTileRows * sizeof(std::int32_t));
  pack_values(args, s.key_quads, scratch + s.v, reinterpret_cast<float*>(scratch + s.v_scale));
}

template <class Products>
OCTAVO_INLINE void attention_int8(const AttentionArgs& args) {
  constexpr std::size_t kQueries = Products::kQueries;
  const Int8Scratch s = int8_scratch<Products>(args.tokens, args.head_size);
  auto* scratch = reinterpret_cast<std::byte*>(args.scratch);
  Products::begin();
  pack_operands<Products>(args, s, scratch);
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
