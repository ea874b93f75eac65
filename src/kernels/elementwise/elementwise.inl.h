// The one source of the element-wise operations. Include after one of the Vec headers.
#pragma once

#include "kernels/elementwise/elementwise.h"
#include "kernels/simd/at_most.inl.h"
#include "kernels/simd/math.inl.h"

namespace octavo::kernels {
namespace {

template <Activation kActivation>
inline void unary(const UnaryArgs& args) {
  for (std::size_t row = 0; row < args.rows; ++row) {
    const float* x = args.x + row * args.ld_x;
    float* y = args.y + row * args.ld_y;
    std::size_t p = 0;
    for (; p + kWidth <= args.width; p += kWidth) store(y + p, activate<kActivation>(load(x + p)));
    if (p < args.width) {
      const std::size_t left = args.width - p;
      store_partial(y + p, activate<kActivation>(load_partial(x + p, left)), left);
    }
  }
}

template <BinaryOp kOp>
OCTAVO_INLINE Vec combine(Vec a, Vec b) {
  if constexpr (kOp == BinaryOp::kAdd) return a + b;
  if constexpr (kOp == BinaryOp::kSub) return a - b;
  if constexpr (kOp == BinaryOp::kMul) return a * b;
  if constexpr (kOp == BinaryOp::kDiv) return a / b;
}

template <Activation kActivation, BinaryOp kOp>
inline void binary_rows(const BinaryArgs& args) {
  for (std::size_t row = 0; row < args.rows; ++row) {
    const float *a = args.a + row * args.ld_a, *b = args.b + row * args.ld_b;
    float* y = args.y + row * args.ld_y;
    std::size_t p = 0;
    for (; p + kWidth <= args.width; p += kWidth) {
      store(y + p, combine<kOp>(activate<kActivation>(load(a + p)), load(b + p)));
    }
    if (p < args.width) {
      const std::size_t left = args.width - p;
      const Vec x = activate<kActivation>(load_partial(a + p, left));
      store_partial(y + p, combine<kOp>(x, load_partial(b + p, left)), left);
    }
  }
}

template <Activation kActivation>
inline void binary(const BinaryArgs& args) {
  switch (args.op) {
    case BinaryOp::kAdd: return binary_rows<kActivation, BinaryOp::kAdd>(args);
    case BinaryOp::kSub: return binary_rows<kActivation, BinaryOp::kSub>(args);
    case BinaryOp::kMul: return binary_rows<kActivation, BinaryOp::kMul>(args);
    case BinaryOp::kDiv: return binary_rows<kActivation, BinaryOp::kDiv>(args);
  }
}

OCTAVO_INLINE void rotary(const RotaryArgs& args) {
  const std::size_t half = args.head_size / 2;
  for (std::size_t row = 0; row < args.rows; ++row) {
    const float *cosine = args.cosine + row * half, *sine = args.sine + row * half;
    for (std::size_t head = 0; head < args.heads; ++head) {
      float* low = args.x + row * args.ld_x + head * args.head_size;
      float* high = low + half;
      for (std::size_t p = 0; p < half; p += kWidth) {
        const std::size_t left = at_most(half - p);
        const Vec x1 = load_partial(low + p, left), x2 = load_partial(high + p, left);
        const Vec c = load_partial(cosine + p, left), s = load_partial(sine + p, left);
        store_partial(low + p, fnma(x2, s, x1 * c), left);
        store_partial(high + p, fma(x1, s, x2 * c), left);
      }
    }
  }
}

}  // namespace
}  // namespace octavo::kernels

// Defines the functions that kernels.inc names, in octavo::kernels::isa.
#define OCTAVO_DEFINE_ELEMENTWISE(isa)                               \
  namespace octavo::kernels::isa {                                   \
  void unary_run(const UnaryArgs& args) noexcept {                   \
    OCTAVO_DISPATCH_ACTIVATION(args.activation, unary, args)         \
  }                                                                  \
  void binary_run(const BinaryArgs& args) noexcept {                 \
    OCTAVO_DISPATCH_ACTIVATION(args.activation, binary, args)        \
  }                                                                  \
  void rotary_run(const RotaryArgs& args) noexcept { rotary(args); } \
  }
