// Shared by the kernel benches: the fused multiply-adds a second that one thread reaches with the
// vectors of an instruction set, measured, to state speeds as a share of it.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/buffer.h"
#include "base/cpu.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace octavo::kernels {

constexpr int kPeakSteps = 20000, kPeakChains = 12;

#if defined(__x86_64__)
__attribute__((target("avx512f"), noinline)) inline float peak_loop_avx512() {
  __m512 acc[kPeakChains];
  for (auto& x : acc) x = _mm512_set1_ps(1.0f);
  const __m512 a = _mm512_set1_ps(0.5f), b = _mm512_set1_ps(0.25f);
  for (int i = 0; i < kPeakSteps; ++i) {
#pragma GCC unroll 12
    for (int c = 0; c < kPeakChains; ++c) acc[c] = _mm512_fmadd_ps(acc[c], a, b);
  }
  __m512 sum = acc[0];
  for (int c = 1; c < kPeakChains; ++c) sum = _mm512_add_ps(sum, acc[c]);
  return _mm512_cvtss_f32(sum);
}

__attribute__((target("avx2,fma"), noinline)) inline float peak_loop_avx2() {
  __m256 acc[kPeakChains];
  for (auto& x : acc) x = _mm256_set1_ps(1.0f);
  const __m256 a = _mm256_set1_ps(0.5f), b = _mm256_set1_ps(0.25f);
  for (int i = 0; i < kPeakSteps; ++i) {
#pragma GCC unroll 12
    for (int c = 0; c < kPeakChains; ++c) acc[c] = _mm256_fmadd_ps(acc[c], a, b);
  }
  __m256 sum = acc[0];
  for (int c = 1; c < kPeakChains; ++c) sum = _mm256_add_ps(sum, acc[c]);
  return _mm256_cvtss_f32(sum);
}
#endif

typedef float PeakVec __attribute__((vector_size(16)));

__attribute__((noinline)) inline float peak_loop_portable() {
  PeakVec acc[kPeakChains];
  for (auto& x : acc) x = PeakVec{1, 1, 1, 1};
  const PeakVec a = {0.5f, 0.5f, 0.5f, 0.5f}, b = {0.25f, 0.25f, 0.25f, 0.25f};
  for (int i = 0; i < kPeakSteps; ++i) {
#pragma GCC unroll 12
    for (int c = 0; c < kPeakChains; ++c) acc[c] = acc[c] * a + b;
  }
  PeakVec sum = acc[0];
  for (int c = 1; c < kPeakChains; ++c) sum += acc[c];
  return sum[0];
}

/// Floating-point operations a second, best of many short runs.
inline double measure_peak(IsaMask isa) {
  float (*loop)() = peak_loop_portable;
  double lanes = 4;
#if defined(__x86_64__)
  if (isa & kIsaAvx512) {
    loop = peak_loop_avx512, lanes = 16;
  } else if (isa & kIsaAvx2) {
    loop = peak_loop_avx2, lanes = 8;
  }
#else
  (void)isa;
#endif
  double best = 1e9;
  volatile float sink = 0;
  for (int run = 0; run < 300; ++run) {
    const auto start = std::chrono::steady_clock::now();
    sink = loop();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    best = std::min(best, took.count());
  }
  (void)sink;
  return 2.0 * lanes * kPeakChains * kPeakSteps / best;
}

inline double peak_of(IsaMask isa) {
  static const double kPortable = measure_peak(0), kAvx2 = measure_peak(detect_isa() & kIsaAvx2),
                      kAvx512 = measure_peak(detect_isa() & (kIsaAvx2 | kIsaAvx512));
  return isa & kIsaAvx512 ? kAvx512 : isa & kIsaAvx2 ? kAvx2 : kPortable;
}

/// Floats between 0 and 1 in one buffer.
class BenchFloats {
 public:
  explicit BenchFloats(std::size_t count) : buffer_(count * sizeof(float)) {
    std::uint32_t state = 1;
    for (std::size_t i = 0; i < count; ++i) {
      state = state * 1664525u + 1013904223u;
      data()[i] = static_cast<float>(state >> 8) * 0x1p-24f;
    }
  }
  float* data() { return reinterpret_cast<float*>(buffer_.data()); }

 private:
  Buffer buffer_;
};

}  // namespace octavo::kernels
