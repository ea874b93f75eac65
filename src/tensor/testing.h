// Random tensors, the same for the same seed.
#pragma once

#include <random>

#include "tensor/tensor.h"

namespace octavo {

/// Normal, with the standard deviation `spread`.
inline Tensor random_tensor(Shape shape, unsigned seed, float spread = 1) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, spread);
  Tensor out(DType::kFloat32, std::move(shape));
  for (float& x : out.mutable_data<float>()) x = normal(random);
  return out;
}

/// Bytes of every value.
inline Tensor random_bytes(DType dtype, Shape shape, unsigned seed) {
  std::mt19937 random(seed);
  Tensor out(dtype, std::move(shape));
  for (std::size_t i = 0; i < out.elements(); ++i) {
    out.mutable_bytes()[i] = static_cast<std::byte>(random() >> 7);
  }
  return out;
}

}  // namespace octavo
