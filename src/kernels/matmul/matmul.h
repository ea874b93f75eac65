// C = act(A * B + bias) + residual in float32, B packed once.
//
// A is [m, k] row-major with row stride lda; B is [k, n]; C is [m, n] with row stride ldc. Every
// element is
//   acc = 0; for p in 0..k-1: acc = fma(A[i, p], B[p, j], acc)
// in that order whatever m, n, the block or the thread: the same row gives the same bits alone and
// in any batch.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "base/cpu.h"

namespace octavo::kernels {

enum class Activation { kNone, kGeluErf, kGeluTanh, kRelu, kSilu, kTanh, kSigmoid };

struct MatmulArgs {
  const float* a;
  std::size_t lda;
  const float* packed_b;
  float* c;
  std::size_t ldc;
  std::size_t m, n, k;
  const float* bias = nullptr;      // [n]
  const float* residual = nullptr;  // [m, n], row stride ld_residual; may be c itself
  std::size_t ld_residual = 0;
  float scale = 1.0f;  // acc is multiplied by it before the bias
  Activation activation = Activation::kNone;
};

/// Columns of B that a panel holds: B is packed as ceil(n / panel) panels of [k, panel] floats, the
/// last filled with zeros.
struct MatmulKernel {
  std::string_view name;  // "matmul_f32_12x32_avx512"
  IsaMask isa;            // what the CPU must have
  std::size_t panel;
  std::size_t
      rows;  // rows of A a block takes; m ranges split for threads should be multiples of it
  /// Packs columns of B[p * row_stride + j * column_stride] into panels [first_panel, last_panel).
  void (*pack)(const float* b, std::size_t row_stride, std::size_t column_stride, std::size_t k,
               std::size_t n, float* packed, std::size_t first_panel,
               std::size_t last_panel) noexcept;
  /// Rows [first_row, last_row) and panels [first_panel, last_panel) of C.
  void (*run)(const MatmulArgs& args, std::size_t first_row, std::size_t last_row,
              std::size_t first_panel, std::size_t last_panel) noexcept;
};

inline std::size_t matmul_panels(const MatmulKernel& kernel, std::size_t n) {
  return (n + kernel.panel - 1) / kernel.panel;
}
inline std::size_t matmul_packed_floats(const MatmulKernel& kernel, std::size_t n, std::size_t k) {
  return matmul_panels(kernel, n) * kernel.panel * k;
}

/// All rows, weakest first.
std::span<const MatmulKernel> matmul_kernels();
/// The strongest row that `isa` allows; always one (portable).
const MatmulKernel& choose_matmul(IsaMask isa);

}  // namespace octavo::kernels
