// Instruction-set masks: names, what a level includes, what the machine lacks.
#include "base/cpu.h"

#include <gtest/gtest.h>

#include "octavo/error.h"

namespace octavo {
namespace {

constexpr IsaMask kAll = 0xff;

TEST(Cpu, ALevelIncludesWhatItBuildsOn) {
  EXPECT_EQ(parse_isa("portable", kAll), 0u);
  EXPECT_EQ(parse_isa("avx2", kAll), IsaMask{kIsaAvx2});
  EXPECT_EQ(parse_isa("avx512", kAll), IsaMask{kIsaAvx2 | kIsaAvx512});
  EXPECT_EQ(parse_isa("avx512_vnni", kAll), IsaMask{kIsaAvx2 | kIsaAvx512 | kIsaAvx512Vnni});
  EXPECT_EQ(parse_isa("avx_vnni,avx512", kAll), IsaMask{kIsaAvx2 | kIsaAvxVnni | kIsaAvx512});
  EXPECT_EQ(parse_isa("native", kIsaAvx2), IsaMask{kIsaAvx2});
  EXPECT_NE(parse_isa("amx_int8", kAll) & kIsaAvx512, 0u);
}

TEST(Cpu, IsCutToWhatIsAvailable) {
  EXPECT_EQ(parse_isa("avx512", kIsaAvx2), IsaMask{kIsaAvx2});
  EXPECT_EQ(parse_isa("amx_bf16", 0), 0u);
}

TEST(Cpu, RefusesUnknownNamesAndListsTheKnown) {
  try {
    parse_isa("avx2,sse9", kAll);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    EXPECT_EQ(error.info().found, "'sse9'");
    EXPECT_NE(error.info().expected.find("avx512_vnni"), std::string::npos);
  }
}

TEST(Cpu, NamesRoundTrip) {
  EXPECT_EQ(isa_name(0), "portable");
  EXPECT_EQ(isa_name(kIsaAvx2 | kIsaAvx512), "avx2+avx512");
  for (IsaMask bit = 1; bit <= kIsaAmxBf16; bit <<= 1) {
    EXPECT_NE(parse_isa(isa_name(bit), kAll) & bit, 0u) << isa_name(bit);
  }
}

TEST(Cpu, TheReportAgreesWithTheMask) {
  IsaMask usable = 0;
  for (const IsaReport& row : report_isa()) {
    EXPECT_EQ(row.usable, row.reason.empty()) << row.name;
    EXPECT_TRUE(row.cpu || !row.usable) << row.name;
    if (row.usable) usable |= parse_isa(row.name, kAll) & detect_isa();
  }
  EXPECT_EQ(usable, detect_isa());
#if defined(__x86_64__)
  EXPECT_EQ((detect_isa() & kIsaAvx2) != 0,
            __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"));
#endif
}

}  // namespace
}  // namespace octavo
