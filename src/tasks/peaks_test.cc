#include "octavo/peaks.h"

#include <gtest/gtest.h>
#include <sched.h>

#include "base/cpu.h"
#include "octavo/error.h"

namespace octavo {
namespace {

PeakOptions quick() {
  PeakOptions out;
  out.threads = 2;
  out.memory = false;
  out.seconds = 0.001;
  return out;
}

TEST(MachinePeaks, OneLoopAPrecisionUnlessAllAreAsked) {
  const MachinePeaks peaks = measure_peaks(quick());
  ASSERT_EQ(peaks.compute.size(), 3u);
  for (const char* precision : {"fp32", "bf16", "int8"}) {
    ASSERT_NE(peaks.find(precision), nullptr) << precision;
    EXPECT_GT(peaks.find(precision)->operations_per_second, 0) << precision;
    EXPECT_EQ(peaks.find(precision)->threads, 2) << precision;
  }
  EXPECT_EQ(peaks.find("fp64"), nullptr);
  EXPECT_TRUE(peaks.memory.empty());
}

TEST(MachinePeaks, TheStrongestIsFoundAmongAll) {
  PeakOptions options = quick();
  options.every_loop = true;
  const MachinePeaks all = measure_peaks(options), some = measure_peaks(quick());
  for (const char* precision : {"fp32", "bf16", "int8"})
    EXPECT_EQ(all.find(precision)->name, some.find(precision)->name);
  int alone = 0;
  for (const ComputePeak& peak : all.compute) alone += peak.threads == 1;
  EXPECT_EQ(static_cast<std::size_t>(2 * alone), all.compute.size());
}

TEST(MachinePeaks, KeepsToTheInstructionSetsAllowed) {
  PeakOptions options = quick();
  options.every_loop = true;
  options.isa = "portable";
  for (const ComputePeak& peak : measure_peaks(options).compute)
    EXPECT_NE(peak.name.find("portable"), std::string::npos) << peak.name;
  options.isa = "native";
  for (const ComputePeak& peak : measure_peaks(options).compute) {
    if (peak.name.find("amx") == std::string::npos) continue;
    EXPECT_NE(detect_isa() & (kIsaAmxInt8 | kIsaAmxBf16), 0u) << peak.name;
  }
}

TEST(MachinePeaks, LeavesTheThreadWhereItMayRun) {
  cpu_set_t before, after;
  ASSERT_EQ(::sched_getaffinity(0, sizeof before, &before), 0);
  PeakOptions options = quick();
  for (const int threads : {1, 2, 0, CPU_COUNT(&before)}) {
    options.threads = threads;
    measure_peaks(options);
    ASSERT_EQ(::sched_getaffinity(0, sizeof after, &after), 0);
    EXPECT_TRUE(CPU_EQUAL(&before, &after)) << threads;
  }
}

TEST(MachinePeaks, UnknownNamesAreErrors) {
  PeakOptions options = quick();
  options.precisions = {"int3"};
  EXPECT_THROW(measure_peaks(options), Error);
  options = quick();
  options.isa = "avx9";
  EXPECT_THROW(measure_peaks(options), Error);
}

}  // namespace
}  // namespace octavo
