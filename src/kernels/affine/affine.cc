// The table of affine quantisation kernels.
#include "kernels/affine/affine.h"

#include "kernels/choose.h"

namespace octavo::kernels {

#define OCTAVO_KERNEL(space, isa, name)                                                           \
  namespace space {                                                                               \
  bool affine_range(const float*, std::size_t, float*, float*) noexcept;                          \
  void affine_quantize(const float*, std::size_t, float, Steps, std::uint8_t*) noexcept;          \
  void affine_dequantize(const std::uint8_t*, std::size_t, float, Steps, float*) noexcept;        \
  void affine_collect(const float*, std::size_t, bool, std::int32_t*) noexcept;                   \
  void affine_correct(const SumsArgs&, std::int32_t*) noexcept;                                   \
  void affine_requantize(const SumsArgs&, const double*, Steps, std::uint8_t*) noexcept;          \
  void affine_widen(const SumsArgs&, const float*, const float*, float*) noexcept;                \
  std::uint32_t affine_tile(const std::uint8_t*, std::size_t, std::uint8_t, std::byte*) noexcept; \
  }
#include "kernels/affine/kernels.inc"
#undef OCTAVO_KERNEL

std::span<const AffineKernel> affine_kernels() {
#define OCTAVO_KERNEL(space, isa, name) \
  {name,                                \
   isa,                                 \
   space::affine_range,                 \
   space::affine_quantize,              \
   space::affine_dequantize,            \
   space::affine_collect,               \
   space::affine_correct,               \
   space::affine_requantize,            \
   space::affine_widen,                 \
   space::affine_tile},
  static constexpr AffineKernel kRows[] = {
#include "kernels/affine/kernels.inc"
  };
#undef OCTAVO_KERNEL
  return kRows;
}

const AffineKernel& choose_affine(IsaMask isa) { return strongest(affine_kernels(), isa); }

}  // namespace octavo::kernels
