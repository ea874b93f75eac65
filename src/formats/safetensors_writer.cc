#include "formats/safetensors_writer.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "formats/safetensors.h"
#include "octavo/error.h"

namespace octavo::formats {
namespace {

// The reference's order of types, widest alignment last.
constexpr std::array<DType, 13> kOrder = {
    DType::kBool,    DType::kUint8,    DType::kInt8,  DType::kInt16,  DType::kUint16,
    DType::kFloat16, DType::kBFloat16, DType::kInt32, DType::kUint32, DType::kFloat32,
    DType::kFloat64, DType::kInt64,    DType::kUint64};

std::ptrdiff_t rank(DType dtype) {
  return std::find(kOrder.begin(), kOrder.end(), dtype) - kOrder.begin();
}

}  // namespace

void write_safetensors(const std::string& path, const std::vector<NamedTensor>& tensors,
                       const std::map<std::string, std::string>& metadata) {
  std::vector<const NamedTensor*> order;
  for (const NamedTensor& t : tensors) order.push_back(&t);
  std::sort(order.begin(), order.end(), [](const NamedTensor* a, const NamedTensor* b) {
    const auto left = rank(a->tensor.dtype()), right = rank(b->tensor.dtype());
    return left != right ? left > right : a->name < b->name;
  });
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::size_t at = 0;
  for (const NamedTensor* t : order) {
    if (t->name == "__metadata__" || header.contains(t->name)) {
      throw Error(ErrorCode::kInvalidArgument, {.message = "a tensor name cannot be written twice",
                                                .file = path,
                                                .place = "tensor '" + t->name + "'",
                                                .fix = "give every tensor a name of its own"});
    }
    const std::size_t end = at + t->tensor.byte_size();
    header[t->name] = {{"dtype", safetensors_dtype_name(t->tensor.dtype())},
                       {"shape", t->tensor.shape()},
                       {"data_offsets", {at, end}}};
    at = end;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  write_file_atomically(path, [&](std::ostream& out) {
    for (int shift = 0; shift < 64; shift += 8) {
      out.put(static_cast<char>(static_cast<std::uint64_t>(text.size()) >> shift & 0xff));
    }
    out << text;
    for (const NamedTensor* t : order) {
      out.write(reinterpret_cast<const char*>(t->tensor.bytes()),
                static_cast<std::streamsize>(t->tensor.byte_size()));
    }
  });
}

}  // namespace octavo::formats
