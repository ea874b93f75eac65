// The table of attention kernels.
#include "kernels/attention/attention.h"

#include "kernels/choose.h"

namespace octavo::kernels {

#define OCTAVO_KERNEL(space, isa, name)                                              \
  namespace space {                                                                  \
  std::size_t attention_scratch(std::size_t tokens, std::size_t head_size) noexcept; \
  void attention_run(const AttentionArgs& args) noexcept;                            \
  }
#include "kernels/attention/kernels.inc"
#undef OCTAVO_KERNEL

std::span<const AttentionKernel> attention_kernels() {
#define OCTAVO_KERNEL(space, isa, name) {name, isa, space::attention_scratch, space::attention_run},
  static constexpr AttentionKernel kRows[] = {
#include "kernels/attention/kernels.inc"
  };
#undef OCTAVO_KERNEL
  return kRows;
}

const AttentionKernel& choose_attention(IsaMask isa) { return strongest(attention_kernels(), isa); }

}  // namespace octavo::kernels
