// The table of element-wise kernels.
#include "kernels/elementwise/elementwise.h"

#include "kernels/choose.h"

namespace octavo::kernels {

#define OCTAVO_KERNEL(space, isa, name)        \
  namespace space {                            \
  void unary_run(const UnaryArgs&) noexcept;   \
  void binary_run(const BinaryArgs&) noexcept; \
  void rotary_run(const RotaryArgs&) noexcept; \
  }
#include "kernels/elementwise/kernels.inc"
#undef OCTAVO_KERNEL

std::span<const ElementwiseKernel> elementwise_kernels() {
#define OCTAVO_KERNEL(space, isa, name) \
  {name, isa, space::unary_run, space::binary_run, space::rotary_run},
  static constexpr ElementwiseKernel kRows[] = {
#include "kernels/elementwise/kernels.inc"
  };
#undef OCTAVO_KERNEL
  return kRows;
}

const ElementwiseKernel& choose_elementwise(IsaMask isa) {
  return strongest(elementwise_kernels(), isa);
}

}  // namespace octavo::kernels
