// Exact products of 8-bit matrices with a constant right side: what graphs that run node by node
// have in place of the reference loops.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "base/buffer.h"
#include "base/thread_pool.h"
#include "kernels/affine/affine.h"
#include "kernels/gemm/gemm.h"
#include "ops/op.h"
#include "runtime/epilogue.h"

namespace octavo::runtime {

/// A right matrix [k, n] of uint8 or int8, packed for the strongest 8-bit kernel.
class IntegerMatrix {
 public:
  IntegerMatrix(const Tensor& matrix, IsaMask isa);

  std::size_t rows() const { return k_; }
  std::size_t columns() const { return n_; }
  const kernels::AffineKernel& affine() const { return affine_; }

  /// Takes a part of a row of the product: the row, its first column, and the sums as the affine
  /// kernels finish them. Must not throw; called from several threads at once.
  using Finish = std::function<void(std::size_t row, std::size_t column, const kernels::SumsArgs&)>;

  /// int32 [m, n]: sum over p of (a[i, p] - a_zero)(b[p, j] - b_zero[j]), for a of uint8 or int8
  /// with k columns; b_zero has one element or n. Sums wrap as int32 does.
  void multiply(const Tensor& a, std::int32_t a_zero, const std::vector<std::int64_t>& b_zero,
                ThreadPool& pool, const Finish& finish) const;

 private:
  struct Part {  // of the rows: as many as one kernel call sums exactly in float32
    std::size_t first, count;
    std::unique_ptr<Buffer> packed;
  };

  const kernels::GemmKernel& kernel_;
  const kernels::AffineKernel& affine_;
  std::size_t k_, n_;
  std::int32_t shift_;  // of the bytes as packed
  std::vector<Part> parts_;
  std::vector<std::int32_t> column_sums_;  // of the bytes as packed
};

/// Fills `outputs` for MatMulInteger, MatMulIntegerToFloat, DynamicQuantizeMatMul and QLinearMatMul
/// by the packed form of their right matrix; false for operands that only the reference knows.
/// With an epilogue, which MatMulInteger has none of, the output is that one's.
bool multiply_integers(const ops::OpCall& call, const IntegerMatrix& b, ThreadPool& pool,
                       std::vector<Tensor>& outputs, Epilogue* epilogue = nullptr);
/// True for those operators; `weight` is then the number of the input that is the right matrix.
bool is_integer_product(const ir::Node& node, std::size_t& weight);

}  // namespace octavo::runtime
