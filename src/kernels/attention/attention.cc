// The table of attention kernels.
#include "kernels/attention/attention.h"

#include "kernels/choose.h"

namespace octavo::kernels {

#define OCTAVO_KERNEL(type, space, isa, name)                                        \
  namespace space {                                                                  \
  std::size_t attention_scratch(std::size_t tokens, std::size_t head_size) noexcept; \
  void attention_run(const AttentionArgs& args) noexcept;                            \
  }
#include "kernels/attention/kernels.inc"
#undef OCTAVO_KERNEL

std::span<const AttentionKernel> attention_kernels() {
#define OCTAVO_KERNEL(type, space, isa, name) \
  {name, AttentionType::type, isa, space::attention_scratch, space::attention_run},
  static constexpr AttentionKernel kRows[] = {
#include "kernels/attention/kernels.inc"
  };
#undef OCTAVO_KERNEL
  return kRows;
}

std::span<const AttentionKernel> attention_kernels(AttentionType type) {
  return rows_of_type(attention_kernels(), type);
}

const AttentionKernel& choose_attention(AttentionType type, IsaMask isa) {
  const AttentionKernel* best = &attention_kernels().front();
  for (const AttentionKernel& row : attention_kernels()) {
    const bool fits = row.type == type || row.type == AttentionType::kFloat32;
    if (fits && (row.isa & isa) == row.isa) best = &row;
  }
  return *best;
}

}  // namespace octavo::kernels
