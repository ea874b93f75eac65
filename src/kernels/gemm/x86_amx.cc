// int8 and bfloat16 products with AMX.
#if defined(__x86_64__)
#include "kernels/simd/avx512.h"
//
#include "kernels/gemm/amx.inl.h"
#include "kernels/gemm/tiles_amx.inl.h"

namespace octavo::kernels {
namespace {

// Rows up to which reading B, once, is what takes the time.
constexpr std::size_t kFewRows = 4;

}  // namespace

namespace avx512_vnni_int8 {
void gemm_run(const GemmArgs& args, std::size_t first_row, std::size_t last_row,
              std::size_t first_group, std::size_t last_group) noexcept;
}

namespace amx_int8 {
void gemm_run(const GemmArgs& args, std::size_t first_row, std::size_t last_row,
              std::size_t first_group, std::size_t last_group) noexcept {
  if (last_row - first_row <= kFewRows) {
    return avx512_vnni_int8::gemm_run(args, first_row, last_row, first_group, last_group);
  }
  AmxGemm<AmxTiles, GemmType::kInt8>(args).run(first_row, last_row, first_group, last_group);
}
}  // namespace amx_int8

namespace amx_bf16 {
void gemm_run(const GemmArgs& args, std::size_t first_row, std::size_t last_row,
              std::size_t first_group, std::size_t last_group) noexcept {
  AmxGemm<AmxTiles, GemmType::kBf16>(args).run(first_row, last_row, first_group, last_group);
}
}  // namespace amx_bf16
}  // namespace octavo::kernels
#endif
