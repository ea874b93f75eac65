// Template members of Tensor; include tensor/tensor.h instead.
#pragma once

#include <cstring>

namespace octavo {

template <typename T>
Tensor Tensor::from(Shape shape, std::span<const T> values) {
  Tensor out(DTypeOf<T>::value, std::move(shape));
  if (!values.empty()) {
    std::memcpy(out.mutable_bytes(), values.data(), std::min(out.byte_size(), values.size_bytes()));
  }
  return out;
}

}  // namespace octavo
