// From sums to C: scales, bias, activation, residual. Include after one of the Vec headers.
#pragma once

#include <type_traits>

#include "kernels/gemm/gemm.h"
#include "kernels/simd/math.inl.h"
#if defined(__AVX2__)
#include "kernels/gemm/gelu_table.inl.h"
#endif

namespace octavo::kernels {
namespace {

constexpr std::size_t kMaxGroups = 8;  // groups a block takes at most

template <Activation kActivation>
OCTAVO_INLINE Vec finish_activation(Vec x) {
#if defined(__AVX2__)
  if constexpr (kActivation == Activation::kGeluErf) return gelu_by_table(x, kGeluErfTable);
  if constexpr (kActivation == Activation::kGeluTanh) return gelu_by_table(x, kGeluTanhTable);
#endif
  return activate<kActivation>(x);
}

// One vector of columns, from column j on, of `rows` rows.
template <Activation kActivation, bool kResidual, class Sum>
OCTAVO_INLINE void finish_columns(const GemmArgs& args, const Sum* sums, std::size_t ld,
                                  std::size_t row, std::size_t rows, std::size_t j, float* c,
                                  std::size_t ldc, const float* residual, std::size_t ld_residual) {
  constexpr bool kScaled = std::is_same_v<Sum, std::int32_t>;
  const Vec bias = args.bias == nullptr ? set(0.0f) : load(args.bias + j);
  const Vec b_scale = kScaled ? load(args.b_scale + j) : bias;
  const std::int32_t* b_sum = kScaled ? args.b_sum + j : nullptr;
  const float* a_scale = kScaled ? args.a_scale + row : nullptr;
  for (std::size_t r = 0; r < rows; ++r, sums += ld, c += ldc) {
    Vec x;
    if constexpr (kScaled) {
      x = load_int(sums, b_sum) * b_scale * broadcast(a_scale + r);
    } else {
      x = load(sums);
    }
    // Not fma: a row without it would differ.
    x = finish_activation<kActivation>(x + bias);
    if constexpr (kResidual) {
      x += load(residual);
      residual += ld_residual;
    }
    store(c, x);
  }
}

// `rows` rows of `groups` groups of 16 columns, the sum of (r, j) at sums[r * ld + j].
template <Activation kActivation, bool kResidual, class Sum>
OCTAVO_INLINE void finish(const GemmArgs& args, const Sum* sums, std::size_t ld, std::size_t row,
                          std::size_t rows, std::size_t first_group, std::size_t groups) {
  for (std::size_t v = 0; v < groups * kTileRows; v += kWidth) {
    const std::size_t j = first_group * kTileRows + v;
    if (j >= args.n) return;
    float* c = args.c + row * args.ldc + j;
    const float* residual = kResidual ? args.residual + row * args.ld_residual + j : nullptr;
    const std::size_t left = args.n - j;
    if (left >= kWidth) {
      finish_columns<kActivation, kResidual>(args, sums + v, ld, row, rows, j, c, args.ldc,
                                             residual, args.ld_residual);
      continue;
    }
    float whole[kWidth], whole_residual[kWidth];
    for (std::size_t r = 0; r < rows; ++r) {
      if constexpr (kResidual) {
        store(whole_residual, load_partial(residual + r * args.ld_residual, left));
      }
      finish_columns<kActivation, kResidual>(args, sums + r * ld + v, ld, row + r, 1, j, whole, 0,
                                             whole_residual, 0);
      store_partial(c + r * args.ldc, load(whole), left);
    }
  }
}

template <Activation kActivation, class Sum>
OCTAVO_INLINE void finish_any(const GemmArgs& args, const Sum* sums, std::size_t ld,
                              std::size_t row, std::size_t rows, std::size_t first_group,
                              std::size_t groups) {
  if (args.residual == nullptr) {
    finish<kActivation, false>(args, sums, ld, row, rows, first_group, groups);
  } else {
    finish<kActivation, true>(args, sums, ld, row, rows, first_group, groups);
  }
}

template <class Sum>
__attribute__((noinline)) void finish_block(const GemmArgs& args, const Sum* sums, std::size_t ld,
                                            std::size_t row, std::size_t rows,
                                            std::size_t first_group, std::size_t groups) {
  OCTAVO_DISPATCH_ACTIVATION(args.activation, finish_any, args, sums, ld, row, rows, first_group,
                             groups)
}

}  // namespace
}  // namespace octavo::kernels
