// The tiles of the CPU. Include after kernels/simd/avx512.h, in a file compiled for AMX.
#pragma once

#include <cstddef>

#include "kernels/gemm/tiles.h"

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

}  // namespace
}  // namespace octavo::kernels
