#include "formats/onnx_scan.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "base/byte_reader.h"
#include "base/file.h"
#include "formats/protobuf_wire.h"
#include "octavo/error.h"

namespace octavo::formats {
namespace {

constexpr std::uint32_t kGraphField = 7, kMetadataField = 14;   // of ModelProto
constexpr std::uint32_t kNodeField = 1, kInitializerField = 5;  // of GraphProto
constexpr std::size_t kWindow = 4096, kLongestHead = 20, kLargestEntry = std::size_t{1} << 20;

std::string text_of(const WireMessage& message, const WireField& field) {
  const auto raw = message.bytes(field);
  return std::string(reinterpret_cast<const char*>(raw.data()), raw.size());
}

void add_entry(const WireMessage& entry, std::map<std::string, std::string>& out) {
  std::string key, value;
  entry.for_each([&](const WireField& field) {
    if (field.number == 1) key = text_of(entry, field);
    if (field.number == 2) value = text_of(entry, field);
  });
  out.emplace(std::move(key), std::move(value));
}

OnnxOutline::Node outline_of(const WireMessage& node) {
  OnnxOutline::Node out;
  node.for_each([&](const WireField& field) {
    if (field.number == 1) out.inputs.push_back(text_of(node, field));
    if (field.number == 4) out.op_type = text_of(node, field);
    if (field.number != 5) return;
    const WireMessage attribute(node, field, "AttributeProto");
    std::string name;
    std::optional<std::int64_t> number;
    attribute.for_each([&](const WireField& part) {
      if (part.number == 1) name = text_of(attribute, part);
      if (part.number == 3) number = static_cast<std::int64_t>(attribute.varint(part));
    });
    if (number) out.numbers.emplace(std::move(name), *number);
  });
  return out;
}

/// A field whose value is bytes [begin, end) of the file, or a number.
struct ScannedField {
  std::uint32_t number = 0;
  WireType type = WireType::kVarint;
  std::uint64_t value = 0;  // of kVarint
  std::size_t begin = 0, end = 0;
};

/// `limit`: where what the field is in ends.
ScannedField read_field(ByteReader& reader, std::size_t limit) {
  const std::uint64_t tag = reader.varint("field");
  ScannedField out{.number = static_cast<std::uint32_t>(tag >> 3),
                   .type = static_cast<WireType>(tag & 7)};
  std::uint64_t size = 0;
  switch (out.type) {
    case WireType::kVarint: out.value = reader.varint("field"); break;
    case WireType::kFixed64: size = sizeof(std::uint64_t); break;
    case WireType::kFixed32: size = sizeof(std::uint32_t); break;
    case WireType::kBytes: size = reader.varint("field"); break;
    default: reader.fail("field", "this is not an ONNX model", "a field of a message");
  }
  out.begin = reader.offset();
  const std::size_t left = limit - std::min(out.begin, limit);
  if (out.begin > limit || size > left) {
    reader.fail("field", "a field is longer than what it is in", std::to_string(left) + " bytes",
                std::to_string(size));
  }
  out.end = out.begin + static_cast<std::size_t>(size);
  return out;
}

/// A file of one message, read a window at a time.
class Scan {
 public:
  explicit Scan(const std::string& path)
      : path_(path), file_(open_file(path)), size_(file_size(file_, path)) {}

  std::size_t size() const { return size_; }

  /// Calls body(field) for every field of the message in [at, end).
  template <typename Body>
  void for_each(std::size_t at, std::size_t end, Body&& body) {
    while (at < end) {
      ByteReader reader(near(at, std::min(kLongestHead, end - at)), path_, at);
      const ScannedField field = read_field(reader, end);
      at = field.end;
      body(field);
    }
  }

  /// Calls body(message) with the message in a field; not where that is larger than any that we
  /// look for, or no message.
  template <typename Body>
  void read(const ScannedField& field, const char* name, Body&& body) {
    if (field.type != WireType::kBytes || field.end - field.begin > kLargestEntry) return;
    const std::size_t size = field.end - field.begin;
    body(WireMessage(near(field.begin, size).first(size), path_, field.begin, name));
  }
  std::string text(const ScannedField& field) {
    const std::size_t size = std::min(field.end - field.begin, kLargestEntry);
    return std::string(reinterpret_cast<const char*>(near(field.begin, size).data()), size);
  }

 private:
  /// `wanted` bytes from `at` on, and what of the window is behind them.
  std::span<const std::byte> near(std::size_t at, std::size_t wanted) {
    if (window_ == nullptr || at < begin_ || at + wanted > begin_ + window_->size()) {
      begin_ = at;
      window_ = read_range(file_, path_, begin_, std::min(std::max(kWindow, wanted), size_ - at));
    }
    return std::as_const(*window_).bytes().subspan(at - begin_);
  }

  const std::string& path_;
  FileDescriptor file_;
  std::size_t size_;
  std::shared_ptr<Buffer> window_;
  std::size_t begin_ = 0;  // of the window in the file
};

void add_initializer(Scan& scan, const ScannedField& tensor, OnnxOutline& out) {
  std::string name;
  std::int32_t type = 0;
  scan.for_each(tensor.begin, tensor.end, [&](const ScannedField& field) {
    if (field.number == 2) type = static_cast<std::int32_t>(field.value);
    if (field.number == 8) name = scan.text(field);
  });
  out.initializers.emplace(std::move(name), type);
}

}  // namespace

std::map<std::string, std::string> read_onnx_metadata(const std::string& path) {
  Scan scan(path);
  std::map<std::string, std::string> out;
  scan.for_each(0, scan.size(), [&](const ScannedField& field) {
    if (field.number != kMetadataField) return;
    scan.read(field, "StringStringEntryProto",
              [&](const WireMessage& entry) { add_entry(entry, out); });
  });
  return out;
}

OnnxOutline read_onnx_outline(const std::string& path) {
  Scan scan(path);
  OnnxOutline out;
  scan.for_each(0, scan.size(), [&](const ScannedField& graph) {
    if (graph.number != kGraphField) return;
    scan.for_each(graph.begin, graph.end, [&](const ScannedField& field) {
      if (field.number == kNodeField) {
        scan.read(field, "NodeProto",
                  [&](const WireMessage& node) { out.nodes.push_back(outline_of(node)); });
      }
      if (field.number == kInitializerField) add_initializer(scan, field, out);
    });
  });
  return out;
}

}  // namespace octavo::formats
