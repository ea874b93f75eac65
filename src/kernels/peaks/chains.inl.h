// A loop of one operation on twelve independent accumulators, enough to hide its latency on two
// ports. In assembly, so that no compiler adds moves of its own.
#pragma once

#define OCTAVO_TWELVE(what)                                                                    \
  what(4) what(5) what(6) what(7) what(8) what(9) what(10) what(11) what(12) what(13) what(14) \
      what(15)

/// ZERO(r) and STEP(r) are the texts of instructions on register r; STEP's operands are %1 and %2,
/// and register 3 is free. `steps` is a variable, at least 1, and is counted down.
#define OCTAVO_PEAK_CHAINS(ZERO, STEP, steps, a, b) \
  asm volatile(OCTAVO_TWELVE(ZERO) "1:\n" OCTAVO_TWELVE(STEP) "dec %0\n"                      \
                                                              "jnz 1b\n"                      \
               : "+r"(steps)                                                                  \
               : "x"(a), "x"(b)                                                               \
               : "cc", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", \
                 "xmm13", "xmm14", "xmm15")
