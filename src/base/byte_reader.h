// The only way a parser touches bytes from outside: every read is checked against what is left, and
// a failure says the file, the byte offset, what was expected and what was found.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "octavo/error.h"

namespace octavo {

class ByteReader {
 public:
  /// `file` names the source in errors; `base_offset` is the position of bytes[0] in that file.
  ByteReader(std::span<const std::byte> bytes, std::string_view file, std::size_t base_offset = 0)
      : bytes_(bytes), file_(file), base_(base_offset) {}

  std::size_t offset() const { return base_ + position_; }
  std::size_t remaining() const { return bytes_.size() - position_; }
  bool done() const { return position_ == bytes_.size(); }
  std::string_view file() const { return file_; }

  std::uint8_t u8(std::string_view field);
  std::uint32_t u32_le(std::string_view field);
  std::uint64_t u64_le(std::string_view field);
  /// Protocol-buffers base-128 integer: at most 10 bytes, at most 64 bits.
  std::uint64_t varint(std::string_view field);
  /// The next `count` bytes; a view into the source.
  std::span<const std::byte> bytes(std::size_t count, std::string_view field);
  std::string_view text(std::size_t count, std::string_view field);
  /// A reader over the next `count` bytes, which are consumed here.
  ByteReader sub(std::size_t count, std::string_view field);

  [[noreturn]] void fail(std::string_view field, std::string message, std::string expected = {},
                         std::string found = {}) const;

 private:
  std::span<const std::byte> bytes_;
  std::string_view file_;
  std::size_t base_ = 0;
  std::size_t position_ = 0;
};

}  // namespace octavo
