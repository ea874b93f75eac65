// What this CPU and this kernel allow, as a bit mask of instruction-set features that kernels ask
// for.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace octavo {

using IsaMask = std::uint32_t;

enum Isa : IsaMask {
  kIsaAvx2 = 1u << 0,  // AVX2 with FMA and F16C
  kIsaAvxVnni = 1u << 1,
  kIsaAvx512 = 1u << 2,  // F, BW, DQ, VL, CD
  kIsaAvx512Vnni = 1u << 3,
  kIsaAvx512Bf16 = 1u << 4,
  kIsaAvx512Fp16 = 1u << 5,
  kIsaAmxInt8 = 1u << 6,
  kIsaAmxBf16 = 1u << 7,
};

/// What can be used: CPUID, the operating system's XCR0 and, for AMX, the kernel's permission
/// (asked for once).
IsaMask detect_isa();

/// Every feature CPUID reports, whether usable or not, and why an unusable one is not: for `octavo
/// doctor`.
struct IsaReport {
  std::string_view name;
  bool cpu = false;     // the CPU has it
  bool usable = false;  // and octavo may use it
  std::string reason;   // when not usable
};
std::vector<IsaReport> report_isa();

/// "portable", or a list like "avx2,avx512": a level includes what it builds on ("avx512_vnni" has
/// avx512 and avx2). The result is what the list names, cut to `available`. Throws
/// Error(kInvalidArgument) for an unknown name.
IsaMask parse_isa(std::string_view list, IsaMask available);

/// Names of the features in the mask, strongest last, joined with '+'; "portable" for none.
std::string isa_name(IsaMask mask);

/// The brand string ("Intel(R) Xeon(R) ...").
std::string cpu_brand();

}  // namespace octavo
