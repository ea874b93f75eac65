// C = act(A * B + bias) + residual with packed 8-bit, bfloat16 or half operands and
// float32 results.
//
//   int8   A holds q + 128 as bytes, q in [-127, 127], with a scale a row; B holds signed bytes in
//          [-127, 127] with a scale a column. Sums are int32 over all of K, exact. Then, one
//          float32 rounding an operation,
//            float(sum a b - 128 sum b) * b_scale[j] * a_scale[i] + bias[j]
//          so that the activation is given the same bits on every instruction set.
//   bf16   products of bfloat16 summed in float32; each element in an order that depends on K
//          alone. |error| <= (k + 2) u sum |a b| with u = 2^-24; AMX and AVX-512 BF16 take
//          denormals for zeros.
//   fp16   products of IEEE halves, denormals too, summed in float32: the same order and bound
//
// GELU is within 2e-7 |x| (simd/README.md has the others). The same row gives the same bits alone
// and in any batch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/cpu.h"
#include "kernels/gemm/layout.h"
#include "kernels/matmul/matmul.h"

namespace octavo::kernels {

struct GemmArgs {
  const std::byte* a;                   // rows in tiles, see layout.h; 64-byte aligned
  const float* a_scale = nullptr;       // [m], int8 only
  const std::byte* b;                   // groups in tiles; 64-byte aligned
  const float* b_scale = nullptr;       // [16 * groups], int8 only
  const std::int32_t* b_sum = nullptr;  // [16 * groups], 128 * sum over k of B, int8 only
  float* c;                             // [m, n], row stride ldc
  std::size_t ldc;
  std::size_t m, n, k;
  const float* bias = nullptr;      // [16 * groups]
  const float* residual = nullptr;  // [m, n], row stride ld_residual; may be c
  std::size_t ld_residual = 0;
  Activation activation = Activation::kNone;
};

struct GemmKernel {
  std::string_view name;  // "gemm_int8_avx512_vnni"
  GemmType type;
  IsaMask isa;
  /// Rows [first_row, last_row), first_row a multiple of 16, and groups of 16 columns
  /// [first_group, last_group) of C. Blocks fill best with rows by 32 and groups by 6.
  void (*run)(const GemmArgs& args, std::size_t first_row, std::size_t last_row,
              std::size_t first_group, std::size_t last_group) noexcept;
};

/// All rows of all types, weakest first within a type.
std::span<const GemmKernel> gemm_kernels();
std::span<const GemmKernel> gemm_kernels(GemmType type);
/// The strongest row that `isa` allows; always one (portable).
const GemmKernel& choose_gemm(GemmType type, IsaMask isa);

/// B from float32, element (p, j) at b[p * row_stride + j * column_stride].
struct GemmWeights {
  const float* b;
  std::size_t row_stride, column_stride;
  std::size_t k, n;
};

/// Packs groups [first_group, last_group) of B as bytes, symmetric per column: scale = absmax /
/// 127. `packed` is the first byte of group 0; scale and sum have 16 * groups elements.
void gemm_pack_int8(const GemmWeights& weights, std::size_t first_group, std::size_t last_group,
                    std::byte* packed, float* scale, std::int32_t* sum) noexcept;
/// Packs groups as bfloat16, rounded to nearest even.
void gemm_pack_bf16(const GemmWeights& weights, std::size_t first_group, std::size_t last_group,
                    std::byte* packed) noexcept;
/// Packs groups as IEEE halves, rounded to nearest even; beyond 65504 there is infinity.
void gemm_pack_fp16(const GemmWeights& weights, std::size_t first_group, std::size_t last_group,
                    std::byte* packed) noexcept;

}  // namespace octavo::kernels
