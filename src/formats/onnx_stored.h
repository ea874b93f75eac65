// How a tensor lies in a file: of 4-bit integers, which are held in bytes, two a byte.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>

#include "formats/onnx_model.h"

namespace octavo::formats {

inline constexpr std::int64_t kUint4 = 21, kInt4 = 22;  // TensorProto.DataType

/// TensorProto.DataType.
std::int64_t stored_type(const OnnxTensor& tensor);
std::size_t stored_bytes(const OnnxTensor& tensor);
/// Calls `use` with the bytes: of 4-bit integers the first in the lower half.
void with_stored(const OnnxTensor& tensor, const std::function<void(std::string_view)>& use);

}  // namespace octavo::formats
