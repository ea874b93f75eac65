// Safetensors headers: an error, or tensors that cover the data exactly.
#include <cstdint>
#include <span>

#include "formats/safetensors.h"
#include "octavo/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const auto header =
        octavo::formats::parse_safetensors(std::as_bytes(std::span(data, size)), size, "fuzz");
    std::size_t at = 0;
    for (const auto& tensor : header.tensors) {
      if (tensor.begin != at || tensor.end < tensor.begin) __builtin_trap();
      octavo::Tensor made(tensor.dtype, tensor.shape);
      if (made.byte_size() != tensor.end - tensor.begin) __builtin_trap();
      at = tensor.end;
    }
    if (header.data_start + at != size) __builtin_trap();
  } catch (const octavo::Error&) {
  }
  return 0;
}
