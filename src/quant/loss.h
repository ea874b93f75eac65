// How far an output is from what it should be.
#pragma once

#include <cstddef>
#include <vector>

#include "tensor/tensor.h"

namespace octavo::quant {

/// The output of a model that is compared: the first one of floats with rows of tokens, else the
/// first one of floats. Error(kUnsupported) where there is none.
const Tensor& compared_output(const std::vector<Tensor>& outputs);

/// Sums over tensors, of which the figures are made.
class OutputLoss {
 public:
  /// float32 tensors of one shape; rows are those of the last axis.
  void add(const Tensor& expected, const Tensor& found);

  /// Mean over rows of the cosine between what was expected and what was found; rows of zeros count
  /// as equal when both are. 1 for nothing.
  double cosine() const { return rows_ == 0 ? 1 : cosines_ / static_cast<double>(rows_); }
  /// Signal to quantisation noise, 20 log10(|x| / |x - y|) in dB; at most 200.
  double sqnr_db() const;

 private:
  std::size_t rows_ = 0;
  double cosines_ = 0, signal_ = 0, noise_ = 0;
};

}  // namespace octavo::quant
