// What the 256-bit products share. Include after kernels/simd/avx2.h.
#pragma once

#include <cstring>

#include "kernels/gemm/layout.h"

namespace octavo::kernels {
namespace {

OCTAVO_INLINE std::int32_t load_quad(const std::byte* p) {
  std::int32_t out;
  std::memcpy(&out, p, sizeof out);
  return out;
}
OCTAVO_INLINE __m256i load_256(const std::byte* p) {
  return _mm256_load_si256(reinterpret_cast<const __m256i*>(p));
}

}  // namespace
}  // namespace octavo::kernels
