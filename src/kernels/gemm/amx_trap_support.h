// Runs functions compiled for AMX on a CPU that has AVX-512 VNNI but refuses AMX instructions: each
// one raises SIGILL, is decoded (Intel SDM, volume 2), done on emulated tiles, and stepped over. So
// encodings, operands, addresses and the configuration in memory are tested too. For tests.
#pragma once

#if defined(__x86_64__) && defined(__linux__)
#include <gtest/gtest.h>
#include <ucontext.h>

#include <csignal>
#include <cstring>

#include "base/cpu.h"
#include "kernels/gemm/tiles_emulated.h"

namespace octavo::kernels {
namespace trap {

// Why the tiles refused an instruction; empty while all is well.
inline char g_refusal[64];
inline struct sigaction g_before;

inline std::size_t general_register(const ucontext_t& context, unsigned number) {
  constexpr int kOrder[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
                              REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
                              REG_R12, REG_R13, REG_R14, REG_R15};
  return static_cast<std::size_t>(context.uc_mcontext.gregs[kOrder[number]]);
}

// A VEX instruction of map 0F38 with a ModRM byte.
struct Instruction {
  unsigned prefix, opcode;  // 0 none, 1 66, 2 F3, 3 F2
  unsigned vvvv, mod, reg, rm;
  std::size_t size;
  std::size_t base = 0, index = 0;  // of a memory operand: what is added, the displacement in base
};

inline bool decode(const ucontext_t& context, Instruction& out) {
  const auto* code = reinterpret_cast<const std::uint8_t*>(context.uc_mcontext.gregs[REG_RIP]);
  if (code[0] != 0xc4 || (code[1] & 0x1f) != 2 || (code[2] & 0x84) != 0) return false;
  const unsigned high_reg = code[1] & 0x80 ? 0 : 8, high_index = code[1] & 0x40 ? 0 : 8,
                 high_base = code[1] & 0x20 ? 0 : 8;
  out.prefix = code[2] & 3;
  out.vvvv = ~code[2] >> 3 & 15;
  out.opcode = code[3];
  out.mod = code[4] >> 6, out.reg = code[4] >> 3 & 7, out.rm = code[4] & 7;
  if (high_reg != 0) return false;
  std::size_t at = 5;
  if (out.mod == 3) {
    out.size = at;
    return high_base == 0;
  }
  unsigned base = out.rm;
  if (out.rm == 4) {
    const unsigned sib = code[at++], index = (sib >> 3 & 7) | high_index;
    base = sib & 7;
    if (index != 4) out.index = general_register(context, index) << (sib >> 6);
  }
  std::int32_t displacement = 0;
  if (out.mod == 0 && base == 5) return false;  // without a base register
  if (out.mod == 1) displacement = static_cast<std::int8_t>(code[at++]);
  if (out.mod == 2) {
    std::memcpy(&displacement, code + at, sizeof displacement);
    at += sizeof displacement;
  }
  out.base = general_register(context, base | high_base) +
             static_cast<std::size_t>(std::ptrdiff_t{displacement});
  out.size = at;
  return true;
}

inline bool execute(const Instruction& x) {
  const bool memory = x.mod != 3;
  const int reg = static_cast<int>(x.reg), rm = static_cast<int>(x.rm),
            third = static_cast<int>(x.vvvv);
  if (x.opcode == 0x49 && x.prefix == 0 && memory && x.reg == 0) {
    TileConfig config;
    std::memcpy(static_cast<void*>(&config), reinterpret_cast<const void*>(x.base + x.index), 64);
    EmulatedTiles::configure(config);
  } else if (x.opcode == 0x49 && x.prefix == 0 && !memory && x.reg == 0 && x.rm == 0) {
    EmulatedTiles::release();
  } else if (x.opcode == 0x49 && x.prefix == 3 && !memory && x.rm == 0) {
    EmulatedTiles::zero(reg);
  } else if (x.opcode == 0x4b && x.prefix == 3 && memory && x.rm == 4) {
    EmulatedTiles::load(reg, reinterpret_cast<const void*>(x.base), x.index);
  } else if (x.opcode == 0x4b && x.prefix == 2 && memory && x.rm == 4) {
    EmulatedTiles::store(reg, reinterpret_cast<void*>(x.base), x.index);
  } else if (x.opcode == 0x5e && x.prefix == 1 && !memory) {
    EmulatedTiles::dot_int8(reg, rm, third);
  } else if (x.opcode == 0x5c && x.prefix == 2 && !memory) {
    EmulatedTiles::dot_bf16(reg, rm, third);
  } else {
    return false;
  }
  return true;
}

inline void on_illegal_instruction(int, siginfo_t*, void* raw) {
  auto& context = *static_cast<ucontext_t*>(raw);
  Instruction x{};
  try {
    if (!decode(context, x) || !execute(x)) {
      ::sigaction(SIGILL, &g_before, nullptr);  // not ours: it comes again
      return;
    }
  } catch (const std::logic_error& error) {
    if (g_refusal[0] == 0) std::strncpy(g_refusal, error.what(), sizeof g_refusal - 1);
  }
  context.uc_mcontext.gregs[REG_RIP] += static_cast<greg_t>(x.size);
}

}  // namespace trap

/// Tests of this class run their bodies with AMX instructions done so, or are skipped.
class AmxTrapTest : public testing::Test {
 protected:
  void SetUp() override {
    const IsaMask isa = detect_isa(), needed = kIsaAvx2 | kIsaAvx512 | kIsaAvx512Vnni;
    if ((isa & kIsaAmxInt8) != 0) GTEST_SKIP() << "this CPU has AMX: the rows run by themselves";
    if ((isa & needed) != needed) GTEST_SKIP() << "the rows need " << isa_name(needed & ~isa);
    EmulatedTiles::release();
    trap::g_refusal[0] = 0;
    struct sigaction action = {};
    action.sa_sigaction = trap::on_illegal_instruction;
    action.sa_flags = SA_SIGINFO;
    ::sigaction(SIGILL, &action, &trap::g_before);
    caught_ = true;
  }
  void TearDown() override {
    if (!caught_) return;
    ::sigaction(SIGILL, &trap::g_before, nullptr);
    EXPECT_STREQ(trap::g_refusal, "");
    EXPECT_GT(EmulatedTiles::state().dots, 0u);
    EXPECT_FALSE(EmulatedTiles::state().configured);
  }

 private:
  bool caught_ = false;
};

}  // namespace octavo::kernels
#endif
