// From sums to C: scales, bias, activation, residual. Include after one of the Vec headers.
#pragma once

#include "kernels/gemm/gemm.h"
#include "kernels/simd/math.inl.h"
#if defined(__AVX512F__)
#include "kernels/gemm/gelu_avx512.inl.h"
#endif

namespace octavo::kernels {
namespace {

constexpr std::size_t kMaxGroups = 8;  // groups a block takes at most

// int32 sums: exact until they are scaled.
OCTAVO_INLINE Vec scaled_sum(const GemmArgs& args, const std::int32_t* sums, std::size_t column) {
  return load_int(sums, args.b_sum + column) * load(args.b_scale + column);
}
OCTAVO_INLINE Vec scaled_sum(const GemmArgs&, const float* sums, std::size_t) { return load(sums); }

template <Activation kActivation>
OCTAVO_INLINE Vec finish_activation(Vec x) {
#if defined(__AVX512F__)
  if constexpr (kActivation == Activation::kGeluErf) return gelu_by_table(x, kGeluErfTable);
  if constexpr (kActivation == Activation::kGeluTanh) return gelu_by_table(x, kGeluTanhTable);
#endif
  return activate<kActivation>(x);
}

// `rows` rows of `groups` groups of 16 columns, the sum of (r, j) at sums[r * ld + j].
template <Activation kActivation, class Sum>
OCTAVO_INLINE void finish(const GemmArgs& args, const Sum* sums, std::size_t ld, std::size_t row,
                          std::size_t rows, std::size_t first_group, std::size_t groups) {
  const std::size_t first = first_group * kTileRows;
  for (std::size_t v = 0; v < groups * kTileRows; v += kWidth) {
    const std::size_t j = first + v;
    if (j >= args.n) return;
    const std::size_t left = args.n - j;
    const bool whole = left >= kWidth;
    const Vec bias = args.bias == nullptr ? set(0.0f) : load(args.bias + j);
    float* c = args.c + row * args.ldc + j;
    const float* residual =
        args.residual == nullptr ? nullptr : args.residual + row * args.ld_residual + j;
    for (std::size_t r = 0; r < rows; ++r) {
      const Vec sum = scaled_sum(args, sums + r * ld + v, j);
      const Vec scale = set(args.a_scale == nullptr ? 1.0f : args.a_scale[row + r]);
      // Not fma: a row without it would differ.
      Vec x = finish_activation<kActivation>(sum * scale + bias);
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

template <class Sum>
__attribute__((noinline)) void finish_block(const GemmArgs& args, const Sum* sums, std::size_t ld,
                                            std::size_t row, std::size_t rows,
                                            std::size_t first_group, std::size_t groups) {
  OCTAVO_DISPATCH_ACTIVATION(args.activation, finish, args, sums, ld, row, rows, first_group,
                             groups)
}

}  // namespace
}  // namespace octavo::kernels
