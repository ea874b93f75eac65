// Shared by the kernel benches: operands, and the measured peak that speeds are a share of.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>

#include "base/buffer.h"
#include "base/cpu.h"
#include "kernels/peaks/peaks.h"

namespace octavo::kernels {

/// Floating-point operations a second that one thread reaches with the vectors of `isa`.
inline double peak_of(IsaMask isa) {
  static std::map<const PeakLoop*, double> peaks;
  const PeakLoop& loop = choose_peak(PeakType::kFp32, isa & detect_isa());
  const auto [it, added] = peaks.try_emplace(&loop, 0);
  if (added) it->second = measure_peak(loop, nullptr, 0.05);
  return it->second;
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
