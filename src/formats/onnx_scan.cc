#include "formats/onnx_scan.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "base/byte_reader.h"
#include "base/file.h"
#include "formats/protobuf_wire.h"
#include "octavo/error.h"

namespace octavo::formats {
namespace {

constexpr std::uint32_t kGraphField = 7, kMetadataField = 14;  // of ModelProto
constexpr std::uint32_t kNodeField = 1;                        // of GraphProto
constexpr std::uint32_t kOpTypeField = 4;                      // of NodeProto
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

/// A file of one message, read a window at a time.
class Scan {
 public:
  explicit Scan(const std::string& path)
      : path_(path), file_(open_file(path)), size_(file_size(file_, path)) {}

  std::size_t size() const { return size_; }

  /// Calls body(number, begin, end) for every field of bytes of the message in [at, end); the rest
  /// is checked as far as it says where the next field is.
  template <typename Body>
  void for_each(std::size_t at, std::size_t end, Body&& body) {
    while (at < end) {
      ByteReader reader(near(at, std::min(kLongestHead, end - at)), path_, at);
      const Head head = read_head(reader);
      at = reader.offset();
      if (at > end || head.size > end - at) {
        reader.fail("field", "a field is longer than what it is in",
                    std::to_string(end - std::min(at, end)) + " bytes", std::to_string(head.size));
      }
      const std::size_t begin = at;
      at += static_cast<std::size_t>(head.size);
      if (head.type == WireType::kBytes) body(head.number, begin, at);
    }
  }

  /// Calls body(message) with [begin, end) of the file; not where that is larger than any that we
  /// look for.
  template <typename Body>
  void read(std::size_t begin, std::size_t end, const char* name, Body&& body) {
    if (end - begin > kLargestEntry) return;
    body(WireMessage(near(begin, end - begin).first(end - begin), path_, begin, name));
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

}  // namespace

std::map<std::string, std::string> read_onnx_metadata(const std::string& path) {
  Scan scan(path);
  std::map<std::string, std::string> out;
  scan.for_each(0, scan.size(), [&](std::uint32_t number, std::size_t begin, std::size_t end) {
    if (number != kMetadataField) return;
    scan.read(begin, end, "StringStringEntryProto",
              [&](const WireMessage& entry) { add_entry(entry, out); });
  });
  return out;
}

std::set<std::string> read_onnx_operators(const std::string& path) {
  Scan scan(path);
  std::set<std::string> out;
  const auto add = [&](const WireMessage& node) {
    node.for_each([&](const WireField& field) {
      if (field.number == kOpTypeField) out.insert(text_of(node, field));
    });
  };
  scan.for_each(0, scan.size(), [&](std::uint32_t outer, std::size_t graph, std::size_t graph_end) {
    if (outer != kGraphField) return;
    scan.for_each(graph, graph_end, [&](std::uint32_t inner, std::size_t begin, std::size_t end) {
      if (inner == kNodeField) scan.read(begin, end, "NodeProto", add);
    });
  });
  return out;
}

}  // namespace octavo::formats
