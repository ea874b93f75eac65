// What this machine can do at most, measured: multiply-adds that stay in registers, and reading
// from memory. The limits that the figures of a benchmark stand beside.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace octavo {

struct ComputePeak {
  std::string name;       // of the loop: "int8_avx512_vnni"
  std::string precision;  // "fp32", "bf16", "fp16" or "int8"
  int threads = 1;
  double operations_per_second = 0;  // two a multiply-add
};

struct MemoryPeak {
  int threads = 1;
  double bytes_per_second = 0;  // read
};

struct MachinePeaks {
  int threads = 1;                   // as asked
  std::vector<ComputePeak> compute;  // weakest first within a precision
  std::vector<MemoryPeak> memory;
  std::size_t memory_bytes = 0;  // of the buffer that was read

  /// The strongest loop of a precision on `threads` threads; null when it was not measured.
  const ComputePeak* find(std::string_view precision) const;
};

struct PeakOptions {
  int threads = 0;             // 0: every core this process may use
  std::string isa = "native";  // as RuntimeOptions::isa
  std::vector<std::string> precisions = {"fp32", "bf16", "int8"};
  bool every_loop = false;  // also the weaker instruction sets, and one thread alone
  bool memory = true;
  double seconds = 0.3;  // a figure, about
};

/// Best of many short runs each. A peak of a precision is that of the strongest loop that `isa`
/// allows; fp16, and bf16 without an instruction for it, are computed in float32. The buffer for
/// memory is twice the last-level cache, but at most a quarter of the memory that is available.
/// Where every core is used, each thread stays on its own meanwhile. Throws kInvalidArgument for
/// unknown names, and kIo when memory is refused.
MachinePeaks measure_peaks(const PeakOptions& options = {});

}  // namespace octavo
