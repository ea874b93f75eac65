// Rows of float32 into the 8-bit, bfloat16 or half tiles that packed products read (gemm/layout.h).
//
//   int8   scale = absmax / 127; byte = round_even(x * (127 / absmax)) + 128. A row whose absmax
//          is at most 1e-30 has bytes of 128, of zero; so has a row with an infinity or a NaN,
//          whose scale is NaN, so that its products are NaN. The same bytes and scales on every
//          instruction set.
//   bf16   rounded to nearest even; a NaN stays a NaN.
//   fp16   the same; beyond 65504 there is infinity.
//
// A tile is filled with zeros past the width.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "base/cpu.h"
#include "kernels/gemm/layout.h"

namespace octavo::kernels {

inline constexpr float kSmallestRow = 1e-30f;

struct QuantizeArgs {
  const float* x;  // row 0 of [m, width], row stride ld_x
  std::size_t ld_x;
  std::size_t width;
  std::byte* out;          // tiles of gemm_row_bytes(type, width) a row, 64-byte aligned
  float* scale = nullptr;  // [m], int8 only
};

struct QuantizeKernel {
  std::string_view name;
  IsaMask isa;
  /// Rows [first_row, last_row).
  void (*int8)(const QuantizeArgs& args, std::size_t first_row, std::size_t last_row) noexcept;
  void (*bf16)(const QuantizeArgs& args, std::size_t first_row, std::size_t last_row) noexcept;
  void (*fp16)(const QuantizeArgs& args, std::size_t first_row, std::size_t last_row) noexcept;

  auto run(GemmType type) const {
    return type == GemmType::kInt8 ? int8 : type == GemmType::kBf16 ? bf16 : fp16;
  }
};

std::span<const QuantizeKernel> quantize_kernels();
const QuantizeKernel& choose_quantize(IsaMask isa);

}  // namespace octavo::kernels
