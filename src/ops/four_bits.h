// Integers of 4 bits. No tensor here has elements of half a byte: int4 and uint4 of files are held
// as int8 and uint8, and the DequantizeLinear that reads them says what they are.
#pragma once

namespace octavo::ops {

/// An attribute of DequantizeLinear that is not ONNX's: with any value, the constants of 8 bits
/// that the node reads (values, zero point) hold integers of 4 bits, and files have them so.
inline constexpr const char* kFourBits = "four_bits";

}  // namespace octavo::ops
