// The table of exp and erf over arrays.
#include "kernels/simd/math.h"

#include "kernels/choose.h"

namespace octavo::kernels {

#define OCTAVO_KERNEL(space, isa, name)                     \
  namespace space {                                         \
  void exp_run(const float*, float*, std::size_t) noexcept; \
  void erf_run(const float*, float*, std::size_t) noexcept; \
  }
#include "kernels/simd/kernels.inc"
#undef OCTAVO_KERNEL

std::span<const MathKernel> math_kernels() {
#define OCTAVO_KERNEL(space, isa, name) {name, isa, space::exp_run, space::erf_run},
  static constexpr MathKernel kRows[] = {
#include "kernels/simd/kernels.inc"
  };
#undef OCTAVO_KERNEL
  return kRows;
}

const MathKernel& choose_math(IsaMask isa) { return strongest(math_kernels(), isa); }

}  // namespace octavo::kernels
