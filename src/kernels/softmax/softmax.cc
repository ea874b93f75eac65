// The table of softmax kernels.
#include "kernels/softmax/softmax.h"

#include "kernels/choose.h"

namespace octavo::kernels {

#define OCTAVO_KERNEL(space, isa, name)          \
  namespace space {                              \
  void softmax_run(const SoftmaxArgs&) noexcept; \
  }
#include "kernels/softmax/kernels.inc"
#undef OCTAVO_KERNEL

std::span<const SoftmaxKernel> softmax_kernels() {
#define OCTAVO_KERNEL(space, isa, name) {name, isa, space::softmax_run},
  static constexpr SoftmaxKernel kRows[] = {
#include "kernels/softmax/kernels.inc"
  };
#undef OCTAVO_KERNEL
  return kRows;
}

const SoftmaxKernel& choose_softmax(IsaMask isa) { return strongest(softmax_kernels(), isa); }

}  // namespace octavo::kernels
