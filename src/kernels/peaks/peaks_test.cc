// Every loop that this CPU allows runs and counts; the choice among them for sets that this CPU may
// not have.
#include "kernels/peaks/peaks.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace octavo::kernels {
namespace {

constexpr IsaMask kUpToVnni = kIsaAvx2 | kIsaAvxVnni | kIsaAvx512 | kIsaAvx512Vnni;
constexpr IsaMask kAll = kUpToVnni | kIsaAvx512Bf16 | kIsaAvx512Fp16 | kIsaAmxInt8 | kIsaAmxBf16;

TEST(Peaks, EveryLoopOfThisCpuIsPositiveAloneAndOnAPool) {
  ThreadPool pool(2);
  for (const PeakLoop& loop : peak_loops()) {
    if ((loop.isa & detect_isa()) != loop.isa) continue;
    EXPECT_GT(measure_peak(loop, nullptr, 0.001), 1e6) << loop.name;
    EXPECT_GT(measure_peak(loop, &pool, 0.001), 1e6) << loop.name;
  }
}

TEST(Peaks, ReadingMemoryIsPositive) {
  ThreadPool pool(2);
  EXPECT_GT(measure_read_bandwidth(std::size_t{4} << 20, nullptr, 0.001), 1e6);
  EXPECT_GT(measure_read_bandwidth(std::size_t{4} << 20, &pool, 0.001), 1e6);
  EXPECT_GT(measure_read_bandwidth(0, &pool, 0), 1e6);
}

TEST(Peaks, AlwaysChoosesALoopThatTheSetAllows) {
  for (IsaMask isa = 0; isa <= kAll; ++isa) {
    for (const PeakType type : {PeakType::kFp32, PeakType::kBf16, PeakType::kInt8}) {
      const PeakLoop& loop = choose_peak(type, isa);
      ASSERT_EQ(loop.type, type);
      ASSERT_EQ(loop.isa & ~isa, 0u) << loop.name;
    }
  }
}

TEST(Peaks, NamesAreUniqueWithinAType) {
  std::set<std::pair<PeakType, std::string>> names;
  for (const PeakLoop& loop : peak_loops())
    EXPECT_TRUE(names.emplace(loop.type, loop.name).second) << loop.name;
}

#if defined(__x86_64__)
TEST(Peaks, TakesTheStrongestAndAmxOnlyWhereItIs) {
  EXPECT_EQ(choose_peak(PeakType::kInt8, kAll).name, "int8_amx");
  EXPECT_EQ(choose_peak(PeakType::kBf16, kAll).name, "bf16_amx");
  EXPECT_EQ(choose_peak(PeakType::kFp32, kAll).name, "fp32_avx512");
  EXPECT_EQ(choose_peak(PeakType::kInt8, kAll & ~kIsaAmxInt8).name, "int8_avx512_vnni");
  EXPECT_EQ(choose_peak(PeakType::kBf16, kAll & ~kIsaAmxBf16).name, "bf16_avx512_bf16");
  EXPECT_EQ(choose_peak(PeakType::kBf16, kUpToVnni).name, "fp32_avx512");
  EXPECT_EQ(choose_peak(PeakType::kInt8, kIsaAvx2 | kIsaAvx512).name, "int8_avx512");
  EXPECT_EQ(choose_peak(PeakType::kInt8, kIsaAvx2 | kIsaAvxVnni).name, "int8_avx_vnni");
  EXPECT_EQ(choose_peak(PeakType::kInt8, kIsaAvx2).name, "int8_avx2");
  EXPECT_EQ(choose_peak(PeakType::kInt8, 0).name, "int8_portable");
}
#endif

}  // namespace
}  // namespace octavo::kernels
