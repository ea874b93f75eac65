// What this machine can do at most: loops of multiply-adds that stay in registers, a row a kind of
// arithmetic and instruction set, and reading from memory. A kernel's speed is stated as a share of
// the row that its instruction set allows.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "base/cpu.h"
#include "base/thread_pool.h"

namespace octavo::kernels {

/// What is multiplied: float32; bfloat16 summed in float32 (emulated in float32 where there is no
/// instruction for it); 8-bit integers summed in 32 bits.
enum class PeakType { kFp32, kBf16, kInt8 };

struct PeakLoop {
  std::string_view name;  // "int8_avx512_vnni"
  PeakType type;
  IsaMask isa;           // what it needs
  double multiply_adds;  // of a step
  void (*run)(std::size_t steps) noexcept;
};

/// All rows, weakest first within a type.
std::span<const PeakLoop> peak_loops();
/// The strongest row of the type that `isa` allows; always one (portable).
const PeakLoop& choose_peak(PeakType type, IsaMask isa);

/// Operations a second, two a multiply-add: the best of many short runs within about `seconds`, on
/// every thread of `pool` at once (null: on this thread alone). The CPU must have loop.isa.
double measure_peak(const PeakLoop& loop, ThreadPool* pool, double seconds);

/// Bytes a second read from a buffer of `bytes`, which ought to be beyond all caches: the best of
/// the passes within about `seconds`, at least two. Throws Error(kIo) when memory is refused.
double measure_read_bandwidth(std::size_t bytes, ThreadPool* pool, double seconds);

}  // namespace octavo::kernels
