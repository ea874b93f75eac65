// Rows between float32, int32 sums and 8-bit steps of one scale and zero point, as ONNX defines
// QuantizeLinear, DequantizeLinear, DynamicQuantizeLinear and QLinearMatMul: the same bits as their
// formulas on every instruction set.
//
//   quantize    y = saturate(round_even(x / scale) + zero)
//   dequantize  y = float(x - zero) * scale
//   requantize  y = saturate(round_even(double(sum) * factor) + zero)
//   widen       y = float(sum) * factor + bias, each operation rounded
// with sum = s + right[j] - row * left[j] in arithmetic that wraps. What is no number becomes the
// step 0. A byte is a uint8, or an int8 where `is_signed` says so; `zero` is in its range.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/cpu.h"

namespace octavo::kernels {

struct Steps {
  std::int32_t zero = 0;
  bool is_signed = false;
};

/// A row of sums of products, and what corrects them for zero points.
struct SumsArgs {
  const std::int32_t* sums;  // [count]
  const std::uint32_t *right, *left;
  std::uint32_t row;
  std::size_t count;
};

struct AffineKernel {
  std::string_view name;
  IsaMask isa;
  /// The least and the greatest of x and zero; false where an element is infinite or no number.
  bool (*range)(const float* x, std::size_t count, float* low, float* high) noexcept;
  void (*quantize)(const float* x, std::size_t count, float scale, Steps steps,
                   std::uint8_t* y) noexcept;
  void (*dequantize)(const std::uint8_t* x, std::size_t count, float scale, Steps steps,
                     float* y) noexcept;
  /// sums[j] = (add ? sums[j] : 0) + c[j], where c holds integers of less than 2^31.
  void (*collect)(const float* c, std::size_t count, bool add, std::int32_t* sums) noexcept;
  void (*correct)(const SumsArgs& args, std::int32_t* y) noexcept;
  void (*requantize)(const SumsArgs& args, const double* factor, Steps steps,
                     std::uint8_t* y) noexcept;
  void (*widen)(const SumsArgs& args, const float* factor, const float* bias, float* y) noexcept;
  /// Copies bytes of count to tiles (gemm/layout.h), each flipped by `flip`, zeros after the last;
  /// returns their sum as unsigned bytes.
  std::uint32_t (*tile)(const std::uint8_t* x, std::size_t count, std::uint8_t flip,
                        std::byte* tiles) noexcept;
};

std::span<const AffineKernel> affine_kernels();
const AffineKernel& choose_affine(IsaMask isa);

}  // namespace octavo::kernels
