// What is done to every element of a product while it is in the cache: the stages of fuse.h.
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/cpu.h"
#include "kernels/affine/affine.h"
#include "kernels/elementwise/elementwise.h"
#include "tensor/tensor.h"

namespace octavo::runtime {

class Epilogue {
 public:
  /// For a product of `shape`; nothing where an operand is not one number, one row or of this
  /// shape.
  static std::optional<Epilogue> make(std::string_view stages, std::string_view approximate,
                                      std::span<const Tensor* const> operands, Shape shape,
                                      IsaMask isa);

  /// Columns [column, column + count) of a row, at most kMostColumns of them. Several threads may,
  /// for different elements.
  static constexpr std::size_t kMostColumns = 256;
  /// The first stage is D.
  void finish_bytes(std::size_t row, std::size_t column, std::size_t count,
                    const std::uint8_t* x) const noexcept;
  /// Where floats of a first stage may lie: the output, or `local`.
  float* place(std::size_t row, std::size_t column, float* local) const noexcept;
  void finish_floats(std::size_t row, std::size_t column, std::size_t count,
                     float* x) const noexcept;

  Tensor take() { return std::move(out_); }

 private:
  struct Grid {
    float scale = 0;
    kernels::Steps steps{};
  };
  struct Stage {
    const float* addend = nullptr;  // else an activation
    std::size_t ld = 0;
    kernels::Activation activation = kernels::Activation::kNone;
  };
  Epilogue(IsaMask isa, std::size_t width, Tensor out)
      : affine_(&kernels::choose_affine(isa)),
        elementwise_(&kernels::choose_elementwise(isa)),
        width_(width),
        out_(std::move(out)),
        bytes_(out_.mutable_bytes()) {}
  static std::optional<Grid> grid(const Tensor* scale, const Tensor* zero);

  const kernels::AffineKernel* affine_;
  const kernels::ElementwiseKernel* elementwise_;
  std::size_t width_;
  Tensor out_;
  std::byte* bytes_;  // of out_
  std::optional<Grid> first_, last_;
  std::vector<Stage> stages_;
};

}  // namespace octavo::runtime
