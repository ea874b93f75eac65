#include "base/cpu.h"

#include <array>
#include <cstring>

#include "octavo/error.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace octavo {
namespace {

struct Feature {
  Isa bit;
  std::string_view name;
  IsaMask implies;  // what the name stands for when a user asks for it
};

constexpr IsaMask kUpToAvx512 = kIsaAvx2 | kIsaAvx512;
constexpr std::array<Feature, 8> kFeatures = {{
    {kIsaAvx2, "avx2", kIsaAvx2},
    {kIsaAvxVnni, "avx_vnni", kIsaAvx2 | kIsaAvxVnni},
    {kIsaAvx512, "avx512", kUpToAvx512},
    {kIsaAvx512Vnni, "avx512_vnni", kUpToAvx512 | kIsaAvx512Vnni},
    {kIsaAvx512Bf16, "avx512_bf16", kUpToAvx512 | kIsaAvx512Vnni | kIsaAvx512Bf16},
    {kIsaAvx512Fp16, "avx512_fp16", kUpToAvx512 | kIsaAvx512Vnni | kIsaAvx512Bf16 | kIsaAvx512Fp16},
    {kIsaAmxInt8, "amx_int8", kUpToAvx512 | kIsaAvx512Vnni | kIsaAvx512Bf16 | kIsaAmxInt8},
    {kIsaAmxBf16, "amx_bf16",
     kUpToAvx512 | kIsaAvx512Vnni | kIsaAvx512Bf16 | kIsaAmxInt8 | kIsaAmxBf16},
}};

struct Probe {
  IsaMask cpu = 0;                              // CPUID
  bool ymm = false, zmm = false, tile = false;  // XCR0
  bool amx_allowed = false;                     // arch_prctl
};

#if defined(__x86_64__)
Probe probe() {
  Probe out;
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid(1, &a, &b, &c, &d) == 0) return out;
  const bool osxsave = (c & bit_OSXSAVE) != 0, avx = (c & bit_AVX) != 0;
  const bool fma = (c & bit_FMA) != 0, f16c = (c & bit_F16C) != 0;
  if (osxsave) {
    unsigned low = 0, high = 0;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    out.ymm = (low & 0x6) == 0x6;
    out.zmm = out.ymm && (low & 0xe0) == 0xe0;
    out.tile = (low & 0x60000) == 0x60000;
  }
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return out;
  const auto has = [](unsigned reg, int bit) { return (reg >> bit & 1u) != 0; };
  if (avx && fma && f16c && has(b, 5)) out.cpu |= kIsaAvx2;
  if (has(b, 16) && has(b, 17) && has(b, 28) && has(b, 30) && has(b, 31)) out.cpu |= kIsaAvx512;
  if (has(c, 11)) out.cpu |= kIsaAvx512Vnni;
  if (has(d, 23)) out.cpu |= kIsaAvx512Fp16;
  if (has(d, 24) && has(d, 25)) out.cpu |= kIsaAmxInt8;
  if (has(d, 24) && has(d, 22)) out.cpu |= kIsaAmxBf16;
  if (__get_cpuid_count(7, 1, &a, &b, &c, &d) != 0) {
    if (has(a, 4)) out.cpu |= kIsaAvxVnni;
    if (has(a, 5)) out.cpu |= kIsaAvx512Bf16;
  }
  if (out.tile && (out.cpu & (kIsaAmxInt8 | kIsaAmxBf16)) != 0) {
    constexpr int kRequestPermission = 0x1023,
                  kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
    out.amx_allowed = ::syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
  }
  return out;
}
#else
Probe probe() { return {}; }
#endif

std::string why_not(const Probe& p, const Feature& f) {
  if ((p.cpu & f.bit) == 0) return "the CPU does not have it";
  if (!p.ymm) return "the operating system does not save AVX registers";
  if ((f.implies & kIsaAvx512) != 0 && !p.zmm)
    return "the operating system does not save AVX-512 registers";
  if (f.bit == kIsaAmxInt8 || f.bit == kIsaAmxBf16) {
    if (!p.tile) return "the operating system does not save AMX tiles";
    if (!p.amx_allowed) return "the kernel refuses AMX (arch_prctl ARCH_REQ_XCOMP_PERM)";
  }
  return {};
}

const Probe& probed() {
  static const Probe p = probe();
  return p;
}

}  // namespace

IsaMask detect_isa() {
  IsaMask mask = 0;
  for (const Feature& f : kFeatures) {
    if (why_not(probed(), f).empty()) mask |= f.bit;
  }
  return mask;
}

std::vector<IsaReport> report_isa() {
  std::vector<IsaReport> out;
  for (const Feature& f : kFeatures) {
    const std::string reason = why_not(probed(), f);
    out.push_back({f.name, (probed().cpu & f.bit) != 0, reason.empty(), reason});
  }
  return out;
}

IsaMask parse_isa(std::string_view list, IsaMask available) {
  IsaMask wanted = 0;
  while (!list.empty()) {
    const auto comma = list.find(',');
    const std::string_view name = list.substr(0, comma);
    list = comma == std::string_view::npos ? std::string_view() : list.substr(comma + 1);
    if (name == "portable" || name.empty()) continue;
    if (name == "native") {
      wanted |= available;
      continue;
    }
    const Feature* found = nullptr;
    std::string known = "portable, native";
    for (const Feature& f : kFeatures) {
      known += ", " + std::string(f.name);
      if (f.name == name) found = &f;
    }
    if (found == nullptr) {
      throw Error(ErrorCode::kInvalidArgument,
                  {.message = "unknown instruction set",
                   .expected = known,
                   .found = "'" + std::string(name) + "'",
                   .fix = "give one or more of the known names, with commas"});
    }
    wanted |= found->implies;
  }
  return wanted & available;
}

std::string isa_name(IsaMask mask) {
  std::string out;
  for (const Feature& f : kFeatures) {
    if ((mask & f.bit) == 0) continue;
    if (!out.empty()) out += '+';
    out += f.name;
  }
  return out.empty() ? "portable" : out;
}

std::string cpu_brand() {
#if defined(__x86_64__)
  std::array<unsigned, 12> words{};
  for (unsigned i = 0; i < 3; ++i) {
    if (__get_cpuid(0x80000002u + i, &words[i * 4], &words[i * 4 + 1], &words[i * 4 + 2],
                    &words[i * 4 + 3]) == 0)
      return {};
  }
  std::string out(reinterpret_cast<const char*>(words.data()), sizeof words);
  out.resize(std::strlen(out.c_str()));
  return out;
#else
  return {};
#endif
}

}  // namespace octavo
