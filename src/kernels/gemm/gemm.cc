// The table of packed products.
#include "kernels/gemm/gemm.h"

#include "kernels/choose.h"

namespace octavo::kernels {

#define OCTAVO_KERNEL(type, space, isa, name)                                                  \
  namespace space {                                                                            \
  void gemm_run(const GemmArgs&, std::size_t, std::size_t, std::size_t, std::size_t) noexcept; \
  }
#include "kernels/gemm/kernels.inc"
#undef OCTAVO_KERNEL

std::span<const GemmKernel> gemm_kernels() {
#define OCTAVO_KERNEL(type, space, isa, name) {name, GemmType::type, isa, space::gemm_run},
  static constexpr GemmKernel kRows[] = {
#include "kernels/gemm/kernels.inc"
  };
#undef OCTAVO_KERNEL
  return kRows;
}

std::span<const GemmKernel> gemm_kernels(GemmType type) {
  return rows_of_type(gemm_kernels(), type);
}

const GemmKernel& choose_gemm(GemmType type, IsaMask isa) {
  return strongest(gemm_kernels(type), isa);
}

}  // namespace octavo::kernels
