// Matrix products as references write them.
#pragma once

#include <cstddef>

#include "ops/element.h"

namespace octavo::ops {

/// c[m, n] += a[m, k] * b[k, n], all row-major. Every element sums in the order of k; integers
/// wrap.
template <typename T>
void multiply_add(const T* a, const T* b, T* c, std::size_t m, std::size_t n, std::size_t k) {
  using W = Wrap<T>;
  constexpr std::size_t kStep = 4;  // rows of b a pass over a row of c takes in
  for (std::size_t i = 0; i < m; ++i) {
    T* __restrict row = c + i * n;
    const T* x = a + i * k;
    std::size_t p = 0;
    for (; p + kStep <= k; p += kStep) {
      const T* __restrict y = b + p * n;
      const W x0 = static_cast<W>(x[p]), x1 = static_cast<W>(x[p + 1]);
      const W x2 = static_cast<W>(x[p + 2]), x3 = static_cast<W>(x[p + 3]);
      for (std::size_t j = 0; j < n; ++j) {
        W sum = static_cast<W>(row[j]) + x0 * static_cast<W>(y[j]);
        sum += x1 * static_cast<W>(y[n + j]);
        sum += x2 * static_cast<W>(y[2 * n + j]);
        sum += x3 * static_cast<W>(y[3 * n + j]);
        row[j] = static_cast<T>(sum);
      }
    }
    for (; p < k; ++p) {
      const T* __restrict y = b + p * n;
      const W x0 = static_cast<W>(x[p]);
      for (std::size_t j = 0; j < n; ++j) {
        row[j] = static_cast<T>(static_cast<W>(row[j]) + x0 * static_cast<W>(y[j]));
      }
    }
  }
}

/// NumPy's matmul: 1-D operands promoted, leading dimensions broadcast. Float32, float64 and
/// integers; halves through float32.
Tensor matmul(const OpCall& call, const Tensor& a, const Tensor& b);

/// A float32, rounded to a narrower float type.
Tensor from_float32(const OpCall& call, const Tensor& x, DType dtype);

/// An 8-bit tensor less its zero point (a scalar, or one an element of `axis`), as int32.
Tensor centered(const OpCall& call, const Tensor& x, const Tensor* zero_point, std::size_t axis);

}  // namespace octavo::ops
