// exp, erf, tanh, sigmoid and the activations on Vec. Include after one of the Vec headers.
//
//   exp       2 ulp; -inf gives 0, above 88.72 inf
//   erf       absolute error 2.5e-7
//   tanh      absolute error 2.5e-7, relative 1e-6 near 0
//   sigmoid   absolute error 2.5e-7
// A NaN stays a NaN.
#pragma once

#include "kernels/matmul/matmul.h"

namespace octavo::kernels {
namespace {

// Range reduction to |r| <= ln(2)/2 with ln(2) in two parts, and the polynomial of Cephes expf
// (Moshier, netlib.org/cephes).
OCTAVO_INLINE Vec exp(Vec x) {
  x = max(set(-110.0f), min(set(100.0f), x));
  const Vec n = round_even(x * set(1.44269504088896341f));
  Vec r = fnma(n, set(0.693359375f), x);
  r = fnma(n, set(-2.12194440e-4f), r);
  Vec p = set(1.9875691500e-4f);
  p = fma(p, r, set(1.3981999507e-3f));
  p = fma(p, r, set(8.3334519073e-3f));
  p = fma(p, r, set(4.1665795894e-2f));
  p = fma(p, r, set(1.6666665459e-1f));
  p = fma(p, r, set(5.0000001201e-1f));
  return scale_exponent(fma(p, r * r, r) + set(1.0f), n);
}

// Minimax polynomials below and above |x| = 0.9277; above it 1 - exp(-|x| * polynomial).
OCTAVO_INLINE Vec erf(Vec x) {
  const Vec t = abs(x), s = x * x;
  Vec small = set(-5.96761703e-4f);
  small = fma(small, s, set(4.99119423e-3f));
  small = fma(small, s, set(-2.67681349e-2f));
  small = fma(small, s, set(1.12819925e-1f));
  small = fma(small, s, set(-3.76125336e-1f));
  small = fma(small, s, set(1.28379166e-1f));
  small = fma(small, x, x);
  // erf is 1 in float32 from 3.92 on; the bound keeps the polynomial in its range.
  const Vec u = min(set(4.0f), t);
  Vec large = set(-1.72853470e-5f);
  large = fma(large, u, set(3.83197126e-4f));
  large = fma(large, u, set(-3.88396438e-3f));
  large = fma(large, u, set(2.42546219e-2f));
  large = fma(large, u, set(-1.06777877e-1f));
  large = fma(large, u, set(-6.34846687e-1f));
  large = fma(large, u, set(-1.28717512e-1f));
  large = fma(large, u, set(0.0f) - u);
  large = copy_sign(set(1.0f) - exp(large), x);
  return select(less(set(0.927734375f), t), large, small);
}

// Polynomial of Cephes tanhf below 0.625, 1 - 2 / (exp(2 |x|) + 1) above.
OCTAVO_INLINE Vec tanh(Vec x) {
  const Vec t = abs(x), s = x * x;
  Vec small = set(-5.70498872745e-3f);
  small = fma(small, s, set(2.06390887954e-2f));
  small = fma(small, s, set(-5.37397155531e-2f));
  small = fma(small, s, set(1.33314422036e-1f));
  small = fma(small, s, set(-3.33332819422e-1f));
  small = fma(small * s, x, x);
  const Vec large = set(1.0f) - set(2.0f) / (exp(t + t) + set(1.0f));
  return select(less(t, set(0.625f)), small, copy_sign(large, x));
}

OCTAVO_INLINE Vec sigmoid(Vec x) { return set(1.0f) / (set(1.0f) + exp(set(0.0f) - x)); }

OCTAVO_INLINE Vec gelu_erf(Vec x) {
  const Vec half = x * set(0.5f);
  return fma(half, erf(x * set(0.70710678118654752f)), half);
}

OCTAVO_INLINE Vec gelu_tanh(Vec x) {
  const Vec half = x * set(0.5f);
  const Vec inner = fma(x * x * x, set(0.044715f), x) * set(0.79788456080286536f);
  return fma(half, tanh(inner), half);
}

template <Activation kActivation>
OCTAVO_INLINE Vec activate(Vec x) {
  if constexpr (kActivation == Activation::kGeluErf) return gelu_erf(x);
  if constexpr (kActivation == Activation::kGeluTanh) return gelu_tanh(x);
  if constexpr (kActivation == Activation::kRelu) return max(set(0.0f), x);
  if constexpr (kActivation == Activation::kSilu) return x * sigmoid(x);
  if constexpr (kActivation == Activation::kTanh) return tanh(x);
  if constexpr (kActivation == Activation::kSigmoid) return sigmoid(x);
  return x;
}

// Calls body<activation>(args...) for a value known at run time.
#define OCTAVO_DISPATCH_ACTIVATION(activation, body, ...)                        \
  switch (activation) {                                                          \
    case Activation::kNone: return body<Activation::kNone>(__VA_ARGS__);         \
    case Activation::kGeluErf: return body<Activation::kGeluErf>(__VA_ARGS__);   \
    case Activation::kGeluTanh: return body<Activation::kGeluTanh>(__VA_ARGS__); \
    case Activation::kRelu: return body<Activation::kRelu>(__VA_ARGS__);         \
    case Activation::kSilu: return body<Activation::kSilu>(__VA_ARGS__);         \
    case Activation::kTanh: return body<Activation::kTanh>(__VA_ARGS__);         \
    case Activation::kSigmoid: return body<Activation::kSigmoid>(__VA_ARGS__);   \
  }

}  // namespace
}  // namespace octavo::kernels
