// The table of normalization kernels.
#include "kernels/norm/norm.h"

#include "kernels/choose.h"

namespace octavo::kernels {

#define OCTAVO_KERNEL(space, isa, name)               \
  namespace space {                                   \
  void layer_norm_run(const LayerNormArgs&) noexcept; \
  }
#include "kernels/norm/kernels.inc"
#undef OCTAVO_KERNEL

std::span<const NormKernel> norm_kernels() {
#define OCTAVO_KERNEL(space, isa, name) {name, isa, space::layer_norm_run},
  static constexpr NormKernel kRows[] = {
#include "kernels/norm/kernels.inc"
  };
#undef OCTAVO_KERNEL
  return kRows;
}

const NormKernel& choose_norm(IsaMask isa) { return strongest(norm_kernels(), isa); }

}  // namespace octavo::kernels
