#include "formats/onnx_metadata.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "base/byte_reader.h"
#include "base/file.h"
#include "formats/protobuf_wire.h"
#include "octavo/error.h"

namespace octavo::formats {
namespace {

constexpr std::uint32_t kMetadataField = 14;  // of ModelProto
constexpr std::size_t kWindow = 4096, kLongestHead = 20, kLargestEntry = std::size_t{1} << 20;

void add_entry(const WireMessage& entry, std::map<std::string, std::string>& out) {
  std::string key, value;
  const auto text = [&](const WireField& field) {
    const auto raw = entry.bytes(field);
    return std::string(reinterpret_cast<const char*>(raw.data()), raw.size());
  };
  entry.for_each([&](const WireField& field) {
    if (field.number == 1) key = text(field);
    if (field.number == 2) value = text(field);
  });
  out.emplace(std::move(key), std::move(value));
}

/// What stands before the value of a field, and how long the value is.
struct Head {
  std::uint32_t number = 0;
  WireType type = WireType::kVarint;
  std::uint64_t size = 0;  // of the value
};

Head read_head(ByteReader& reader) {
  const std::uint64_t tag = reader.varint("field");
  Head out{.number = static_cast<std::uint32_t>(tag >> 3), .type = static_cast<WireType>(tag & 7)};
  switch (out.type) {
    case WireType::kVarint: reader.varint("field"); break;
    case WireType::kFixed64: out.size = sizeof(std::uint64_t); break;
    case WireType::kFixed32: out.size = sizeof(std::uint32_t); break;
    case WireType::kBytes: out.size = reader.varint("field"); break;
    default: reader.fail("field", "this is not an ONNX model", "a field of a message");
  }
  return out;
}

}  // namespace

std::map<std::string, std::string> read_onnx_metadata(const std::string& path) {
  const FileDescriptor file = open_file(path);
  const std::size_t size = file_size(file, path);
  std::map<std::string, std::string> out;
  std::shared_ptr<Buffer> window;
  std::size_t begin = 0, at = 0;  // of the window and in the file
  while (at < size) {
    const std::size_t wanted = std::min(kLongestHead, size - at);
    if (window == nullptr || at < begin || at + wanted > begin + window->size()) {
      begin = at;
      window = read_range(file, path, begin, std::min(kWindow, size - begin));
    }
    ByteReader reader(std::as_const(*window).bytes().subspan(at - begin), path, at);
    const Head head = read_head(reader);
    at = reader.offset();
    if (head.size > size - at) {
      reader.fail("field", "a field is longer than the file", std::to_string(size - at) + " bytes",
                  std::to_string(head.size));
    }
    if (head.number == kMetadataField && head.type == WireType::kBytes &&
        head.size <= kLargestEntry) {
      const auto value = read_range(file, path, at, static_cast<std::size_t>(head.size));
      add_entry(WireMessage(std::as_const(*value).bytes(), path, at, "StringStringEntryProto"),
                out);
    }
    at += static_cast<std::size_t>(head.size);
  }
  return out;
}

}  // namespace octavo::formats
