// What this machine offers.
#pragma once

#include <string>
#include <vector>

namespace octavo {

struct CpuFeature {
  std::string name;
  bool present = false;  // the CPU has it
  bool usable = false;   // and octavo may use it
  std::string reason;    // when not usable
};

struct SystemReport {
  std::string cpu;
  int cores = 0;    // usable by this process
  std::string isa;  // what kernels may use
  std::vector<CpuFeature> features;
  std::size_t memory_bytes = 0, memory_available_bytes = 0;
  std::string transparent_huge_pages;  // "always", "madvise", "never"
};

SystemReport inspect_system();

/// Version of octavo, "0.1.0".
std::string version();

}  // namespace octavo
