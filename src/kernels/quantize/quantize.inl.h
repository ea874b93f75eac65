// The one source of row quantisation. Include after one of the Vec headers.
#pragma once

#include <cstring>

#include "kernels/quantize/quantize.h"
#include "kernels/simd/at_most.inl.h"
#include "kernels/simd/magnitude.inl.h"

namespace octavo::kernels {
namespace {

// A NaN or an infinity anywhere makes the result a NaN. Brings what is `ahead` floats on near.
OCTAVO_INLINE float row_absmax(const float* x, std::size_t width, std::size_t ahead) {
  Vec top0 = set(0.0f), top1 = top0;
  std::size_t p = 0;
  for (; p + 2 * kWidth <= width; p += 2 * kWidth) {
    __builtin_prefetch(x + p + ahead);
    __builtin_prefetch(x + p + ahead + kWidth);
    top0 = larger_magnitude(load(x + p), top0);
    top1 = larger_magnitude(load(x + p + kWidth), top1);
  }
  for (; p < width; p += kWidth) {
    top0 = larger_magnitude(load_partial(x + p, at_most(width - p)), top0);
  }
  return largest_finite(larger_magnitude(top0, top1));
}

struct ToInt8 {
  using Element = std::uint8_t;
  Vec inverse;
  OCTAVO_INLINE void operator()(Element* out, Vec x) const { store_u8(out, x * inverse); }
  OCTAVO_INLINE void four(Element* out, const float* x) const {
    store_u8(out, {load(x) * inverse, load(x + kWidth) * inverse, load(x + 2 * kWidth) * inverse,
                   load(x + 3 * kWidth) * inverse});
  }
};
struct ToBf16 {
  using Element = std::uint16_t;
  OCTAVO_INLINE void operator()(Element* out, Vec x) const { store_bf16(out, x); }
};
struct ToFp16 {
  using Element = std::uint16_t;
  OCTAVO_INLINE void operator()(Element* out, Vec x) const { store_fp16(out, x); }
};

// Elements from `used` on are converted as zeros.
template <class To>
OCTAVO_INLINE void convert_row(const float* x, std::size_t used, std::size_t width, std::byte* out,
                               To to) {
  using Element = typename To::Element;
  constexpr std::size_t kTile = kTileBytes / sizeof(Element);
  for (std::size_t first = 0; first < width; first += kTile, out += kTileSize) {
    auto* tile = reinterpret_cast<Element*>(out);
    if constexpr (requires { &To::four; }) {
      static_assert(kTile % (4 * kWidth) == 0);
      if (first + kTile <= used) {
        for (std::size_t p = 0; p < kTile; p += 4 * kWidth) to.four(tile + p, x + first + p);
        continue;
      }
    }
    for (std::size_t p = 0; p < kTile; p += kWidth) {
      const std::size_t at = first + p;
      if (at + kWidth <= used) {
        to(tile + p, load(x + at));
      } else {
        to(tile + p, at < used ? load_partial(x + at, used - at) : set(0.0f));
      }
    }
  }
}

OCTAVO_INLINE void quantize_int8(const QuantizeArgs& args, std::size_t first, std::size_t last) {
  const std::size_t row_bytes = gemm_row_bytes(GemmType::kInt8, args.width);
  for (std::size_t row = first; row < last; ++row) {
    const float* x = args.x + row * args.ld_x;
    const float top = row_absmax(x, args.width, row + 1 < last ? args.ld_x : 0);
    const bool finite = top < __builtin_inff();
    args.scale[row] = finite ? top / 127.0f : __builtin_nanf("");
    // 127 / absmax would overflow near the end of the range, and conversions of a NaN differ.
    const bool usable = finite && top > kSmallestRow;
    convert_row(x, usable ? args.width : 0, args.width, args.out + gemm_row_offset(row, row_bytes),
                ToInt8{set(usable ? 127.0f / top : 0.0f)});
  }
}

template <class To>
OCTAVO_INLINE void round_rows(const QuantizeArgs& args, std::size_t first, std::size_t last) {
  const std::size_t row_bytes = gemm_row_bytes(GemmType::kBf16, args.width);
  for (std::size_t row = first; row < last; ++row) {
    convert_row(args.x + row * args.ld_x, args.width, args.width,
                args.out + gemm_row_offset(row, row_bytes), To{});
  }
}

}  // namespace
}  // namespace octavo::kernels

// Defines the functions that kernels.inc names, in octavo::kernels::isa.
#define OCTAVO_DEFINE_QUANTIZE(isa)                                                                \
  namespace octavo::kernels::isa {                                                                 \
  void quantize_int8_run(const QuantizeArgs& args, std::size_t first, std::size_t last) noexcept { \
    quantize_int8(args, first, last);                                                              \
  }                                                                                                \
  void quantize_bf16_run(const QuantizeArgs& args, std::size_t first, std::size_t last) noexcept { \
    round_rows<ToBf16>(args, first, last);                                                         \
  }                                                                                                \
  void quantize_fp16_run(const QuantizeArgs& args, std::size_t first, std::size_t last) noexcept { \
    round_rows<ToFp16>(args, first, last);                                                         \
  }                                                                                                \
  }
