// A dense row-major tensor: element type, shape, and shared immutable-by-convention storage.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/buffer.h"
#include "tensor/dtype.h"

namespace octavo {

using Shape = std::vector<std::int64_t>;

std::string shape_to_string(std::span<const std::int64_t> shape);  // "[2, 3]"

class Tensor {
 public:
  /// An empty tensor: dtype float32, shape [0].
  Tensor();
  /// Uninitialised storage of its own. Throws Error(kInvalidArgument) when the shape is negative or
  /// overflows.
  Tensor(DType dtype, Shape shape);
  /// A view of `storage` from `byte_offset`. Throws when the storage is too small or the offset is
  /// misaligned for the type (a copy is made in that case).
  Tensor(DType dtype, Shape shape, std::shared_ptr<const Buffer> storage, std::size_t byte_offset);

  template <typename T>
  static Tensor from(Shape shape, std::span<const T> values);
  template <typename T>
  static Tensor scalar(T value) {
    return from<T>({}, std::span<const T>(&value, 1));
  }
  template <typename T>
  static Tensor vector(std::span<const T> values) {
    return from<T>({static_cast<std::int64_t>(values.size())}, values);
  }

  DType dtype() const { return dtype_; }
  const Shape& shape() const { return shape_; }
  std::int64_t dim(std::size_t axis) const { return shape_[axis]; }
  std::size_t rank() const { return shape_.size(); }
  std::size_t elements() const { return elements_; }
  std::size_t byte_size() const { return elements_ * dtype_size(dtype_); }

  const std::byte* bytes() const { return data_; }
  /// Writable bytes; only for a tensor that was just made with its own storage.
  std::byte* mutable_bytes() { return const_cast<std::byte*>(data_); }

  /// Typed view; T must be the element type (float16 and bfloat16 are read as uint16_t, bool as
  /// bool or uint8_t).
  template <typename T>
  std::span<const T> data() const {
    return {reinterpret_cast<const T*>(data_), elements_};
  }
  template <typename T>
  std::span<T> mutable_data() {
    return {reinterpret_cast<T*>(mutable_bytes()), elements_};
  }

  /// For a tensor in a mapped file: its memory may go until its bytes are read again.
  void release() const { storage_->release(offset_in_storage(), byte_size()); }

  /// The same storage under another shape of as many elements.
  Tensor reshaped(Shape shape) const;
  /// The same values; a copy where they are a part of larger storage, which would live as long.
  Tensor own() const;
  /// A float32 copy of any numeric tensor (the tensor itself when it is float32 already).
  Tensor to_float32() const;
  /// Elements of an integer or bool tensor, widened.
  std::vector<std::int64_t> to_int64s() const;

 private:
  std::size_t offset_in_storage() const {
    return static_cast<std::size_t>(data_ - storage_->data());
  }

  DType dtype_;
  Shape shape_;
  std::size_t elements_;
  std::shared_ptr<const Buffer> storage_;
  const std::byte* data_;
};

/// Exact equality of type, shape and bytes.
bool identical(const Tensor& a, const Tensor& b);

}  // namespace octavo

#include "tensor/tensor_inl.h"
