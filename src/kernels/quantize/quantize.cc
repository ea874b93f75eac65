// The table of row quantisation kernels.
#include "kernels/quantize/quantize.h"

#include "kernels/choose.h"

namespace octavo::kernels {

#define OCTAVO_KERNEL(space, isa, name)                                           \
  namespace space {                                                               \
  void quantize_int8_run(const QuantizeArgs&, std::size_t, std::size_t) noexcept; \
  void quantize_bf16_run(const QuantizeArgs&, std::size_t, std::size_t) noexcept; \
  void quantize_fp16_run(const QuantizeArgs&, std::size_t, std::size_t) noexcept; \
  }
#include "kernels/quantize/kernels.inc"
#undef OCTAVO_KERNEL

std::span<const QuantizeKernel> quantize_kernels() {
#define OCTAVO_KERNEL(space, isa, name) \
  {name, isa, space::quantize_int8_run, space::quantize_bf16_run, space::quantize_fp16_run},
  static constexpr QuantizeKernel kRows[] = {
#include "kernels/quantize/kernels.inc"
  };
#undef OCTAVO_KERNEL
  return kRows;
}

const QuantizeKernel& choose_quantize(IsaMask isa) { return strongest(quantize_kernels(), isa); }

}  // namespace octavo::kernels
