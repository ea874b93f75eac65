#include "eval/bench/raise_peaks.h"

#include <algorithm>

namespace octavo::eval {

void raise_peaks(MachinePeaks& peaks, const MachinePeaks& again) {
  for (ComputePeak& peak : peaks.compute) {
    for (const ComputePeak& other : again.compute) {
      if (other.name == peak.name && other.threads == peak.threads)
        peak.operations_per_second =
            std::max(peak.operations_per_second, other.operations_per_second);
    }
  }
  for (MemoryPeak& peak : peaks.memory) {
    for (const MemoryPeak& other : again.memory) {
      if (other.threads == peak.threads)
        peak.bytes_per_second = std::max(peak.bytes_per_second, other.bytes_per_second);
    }
  }
}

}  // namespace octavo::eval
