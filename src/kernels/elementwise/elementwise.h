// Row-wise element operations on float32 matrices with row strides. Each element's result depends
// on its operands alone (a tail is computed by the same vector code as the body).
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "base/cpu.h"
#include "kernels/matmul/matmul.h"

namespace octavo::kernels {

enum class BinaryOp { kAdd, kSub, kMul, kDiv };

struct UnaryArgs {
  const float* x;  // [rows, width]
  std::size_t ld_x;
  float* y;  // may be x
  std::size_t ld_y;
  std::size_t rows, width;
  Activation activation;
};

/// y = act(a) op b. ld_b = 0 gives the same row b [width] for all rows.
struct BinaryArgs {
  const float *a, *b;
  std::size_t ld_a, ld_b;
  float* y;  // may be a or b
  std::size_t ld_y;
  std::size_t rows, width;
  BinaryOp op;
  Activation activation = Activation::kNone;  // on a, before op
};

/// Rotary position embedding (rotate-half form) in place, of every head of one row:
///   x1, x2 = halves of a head;  x1' = x1 * cos - x2 * sin;  x2' = x2 * cos + x1 * sin
struct RotaryArgs {
  float* x;  // [rows, heads * head_size]
  std::size_t ld_x;
  std::size_t rows, heads, head_size;
  const float *cosine, *sine;  // [rows, head_size / 2]
};

struct ElementwiseKernel {
  std::string_view name;
  IsaMask isa;
  void (*unary)(const UnaryArgs& args) noexcept;
  void (*binary)(const BinaryArgs& args) noexcept;
  void (*rotary)(const RotaryArgs& args) noexcept;
};

std::span<const ElementwiseKernel> elementwise_kernels();
const ElementwiseKernel& choose_elementwise(IsaMask isa);

}  // namespace octavo::kernels
