// Integers of 4 bits. No tensor here has elements of half a byte: int4 and uint4 of files are held
// as int8 and uint8, an element a byte, and the node that reads them says what they are.
#pragma once

#include <string_view>

namespace octavo::ops {

/// An attribute of DequantizeLinear (ONNX's and com.microsoft's) and GatherBlockQuantized that is
/// not theirs: with any value, the constants of 8 bits that the node reads (values, zero point)
/// hold integers of 4 bits, and files have them so.
inline constexpr const char* kFourBits = "four_bits";

/// The operators that may have it, in any domain.
inline bool reads_four_bits(std::string_view op) {
  return op == "DequantizeLinear" || op == "GatherBlockQuantized";
}

}  // namespace octavo::ops
