// int8 and bfloat16 products with AMX.
#if defined(__x86_64__)
#include "kernels/simd/avx512.h"
//
#include "kernels/gemm/amx.inl.h"

namespace octavo::kernels {
namespace {

// The intrinsics take tile numbers as text, and gcc 12's _tile_loadconfig names only the first 8
// bytes of what it reads.
struct AmxTiles {
  OCTAVO_INLINE static void configure(const TileConfig& config) {
    asm volatile("ldtilecfg %0" ::"m"(config));
  }
  OCTAVO_INLINE static void release() { asm volatile("tilerelease" ::); }
  template <int kTile>
  OCTAVO_INLINE static void zero() {
    asm volatile("tilezero %%tmm%c0" ::"i"(kTile));
  }
  template <int kTile>
  OCTAVO_INLINE static void load(const std::byte* from, std::size_t stride) {
    asm volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(from), "r"(stride), "i"(kTile) : "memory");
  }
  template <int kTile>
  OCTAVO_INLINE static void store(void* to, std::size_t stride) {
    asm volatile("tilestored %%tmm%c2, (%0,%1,1)" ::"r"(to), "r"(stride), "i"(kTile) : "memory");
  }
  template <int kC, int kA, int kB>
  OCTAVO_INLINE static void dot_int8() {
    asm volatile("tdpbusd %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(kC), "i"(kA), "i"(kB));
  }
  template <int kC, int kA, int kB>
  OCTAVO_INLINE static void dot_bf16() {
    asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(kC), "i"(kA), "i"(kB));
  }
};

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
