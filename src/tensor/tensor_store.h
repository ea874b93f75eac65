// Large tensors that are made long before they are used (weights transposed or joined for a whole
// graph), kept in files without a name instead of memory. For tools that go through the weights of
// a model once.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "tensor/tensor.h"

namespace octavo {

class TensorStore {
 public:
  /// Smaller tensors stay in memory.
  static constexpr std::size_t kLeastBytes = std::size_t{64} << 10;

  /// Files lie in `directory`, an existing one, and take room there while their tensors live.
  explicit TensorStore(std::string directory) : directory_(std::move(directory)) {}

  /// The tensor in a mapped file, of which nothing is in memory until it is read, and after
  /// Tensor::release(). The tensor itself where it is small or the directory has no room.
  Tensor keep(Tensor tensor) const;
  /// The same for bytes that need not be aligned; a copy in memory instead of the tensor itself.
  Tensor keep(DType dtype, Shape shape, std::span<const std::byte> bytes) const;

 private:
  std::shared_ptr<const Buffer> write(std::span<const std::byte> bytes) const;

  std::string directory_;
};

}  // namespace octavo
