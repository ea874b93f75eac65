// ONNX models and tensors: an error, or a model that writing and reading again does not change.
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>

#include "formats/onnx_reader.h"
#include "formats/onnx_writer.h"
#include "octavo/error.h"

namespace {

std::shared_ptr<const octavo::Buffer> buffer(const void* data, std::size_t size) {
  auto out = std::make_shared<octavo::Buffer>(size);
  if (size != 0) std::memcpy(out->data(), data, size);
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace octavo::formats;
  try {
    const std::string first = serialize_onnx(parse_onnx(buffer(data, size), "fuzz"));
    const std::string second =
        serialize_onnx(parse_onnx(buffer(first.data(), first.size()), "again"));
    if (first != second) __builtin_trap();
  } catch (const octavo::Error& error) {
    if (error.info().file == "again") __builtin_trap();
  }
  try {
    parse_onnx_tensor(buffer(data, size), "fuzz");
  } catch (const octavo::Error&) {
  }
  return 0;
}
