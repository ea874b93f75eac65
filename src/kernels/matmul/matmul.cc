// The table of matmul kernels.
#include "kernels/matmul/matmul.h"

#include "kernels/choose.h"

namespace octavo::kernels {

#define OCTAVO_KERNEL(space, isa, name, panel, rows)                                               \
  namespace space {                                                                                \
  void matmul_pack(const float*, std::size_t, std::size_t, std::size_t, std::size_t, float*,       \
                   std::size_t, std::size_t) noexcept;                                             \
  void matmul_run(const MatmulArgs&, std::size_t, std::size_t, std::size_t, std::size_t) noexcept; \
  }
#include "kernels/matmul/kernels.inc"
#undef OCTAVO_KERNEL

std::span<const MatmulKernel> matmul_kernels() {
#define OCTAVO_KERNEL(space, isa, name, panel, rows) \
  {name, isa, panel, rows, space::matmul_pack, space::matmul_run},
  static constexpr MatmulKernel kRows[] = {
#include "kernels/matmul/kernels.inc"
  };
#undef OCTAVO_KERNEL
  return kRows;
}

const MatmulKernel& choose_matmul(IsaMask isa) { return strongest(matmul_kernels(), isa); }

}  // namespace octavo::kernels
