#include "formats/onnx_stored.h"

#include <string>

namespace octavo::formats {

std::int64_t stored_type(const OnnxTensor& tensor) {
  if (!tensor.four_bits) return static_cast<std::int64_t>(tensor.tensor.dtype());
  return tensor.tensor.dtype() == DType::kInt8 ? kInt4 : kUint4;
}

std::size_t stored_bytes(const OnnxTensor& tensor) {
  return tensor.four_bits ? (tensor.tensor.elements() + 1) / 2 : tensor.tensor.byte_size();
}

void with_stored(const OnnxTensor& tensor, const std::function<void(std::string_view)>& use) {
  const auto* bytes = reinterpret_cast<const char*>(tensor.tensor.bytes());
  if (!tensor.four_bits) return use({bytes, tensor.tensor.byte_size()});
  std::string packed(stored_bytes(tensor), '\0');
  for (std::size_t i = 0; i < tensor.tensor.elements(); ++i) {
    const unsigned half = static_cast<unsigned char>(bytes[i]) & 15u;
    packed[i / 2] =
        static_cast<char>(static_cast<unsigned char>(packed[i / 2]) | half << i % 2 * 4);
  }
  use(packed);
}

}  // namespace octavo::formats
