#include "base/byte_reader.h"

#include <cstring>

namespace octavo {

void ByteReader::fail(std::string_view field, std::string message, std::string expected,
                      std::string found) const {
  std::string place = std::string(field);
  if (!place.empty()) place += ", ";
  place += "byte " + std::to_string(offset());
  throw Error(ErrorCode::kInvalidFile,
              {.message = std::move(message),
               .file = std::string(file_),
               .place = std::move(place),
               .expected = std::move(expected),
               .found = std::move(found),
               .fix = "the file is damaged or incomplete: fetch it again"});
}

std::span<const std::byte> ByteReader::bytes(std::size_t count, std::string_view field) {
  if (count > remaining()) {
    fail(field, "the file ends too early", std::to_string(count) + " bytes",
         std::to_string(remaining()) + " bytes");
  }
  const auto out = bytes_.subspan(position_, count);
  position_ += count;
  return out;
}

std::string_view ByteReader::text(std::size_t count, std::string_view field) {
  const auto raw = bytes(count, field);
  return {reinterpret_cast<const char*>(raw.data()), raw.size()};
}

ByteReader ByteReader::sub(std::size_t count, std::string_view field) {
  const std::size_t start = offset();
  return {bytes(count, field), file_, start};
}

std::uint8_t ByteReader::u8(std::string_view field) {
  return std::to_integer<std::uint8_t>(bytes(1, field)[0]);
}

std::uint32_t ByteReader::u32_le(std::string_view field) {
  std::uint32_t out;
  std::memcpy(&out, bytes(sizeof out, field).data(), sizeof out);
  return out;
}

std::uint64_t ByteReader::u64_le(std::string_view field) {
  std::uint64_t out;
  std::memcpy(&out, bytes(sizeof out, field).data(), sizeof out);
  return out;
}

std::uint64_t ByteReader::varint(std::string_view field) {
  std::uint64_t out = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    const std::uint64_t byte = u8(field);
    if (shift == 63 && byte > 1) break;
    out |= (byte & 0x7f) << shift;
    if ((byte & 0x80) == 0) return out;
  }
  fail(field, "a variable-length integer is too long", "at most 64 bits", "more");
}

}  // namespace octavo
