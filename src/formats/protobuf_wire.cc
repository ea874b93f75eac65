#include "formats/protobuf_wire.h"

namespace octavo::formats {

void WireMessage::next(ByteReader& reader, WireField& out) const {
  const std::uint64_t tag = reader.varint(name_);
  const std::uint64_t number = tag >> 3;
  if (number == 0 || number >= std::uint64_t{1} << 29) {
    reader.fail(name_, "a field number is not possible", "1 to 536870911", std::to_string(number));
  }
  out.number = static_cast<std::uint32_t>(number);
  out.offset = reader.offset();
  switch (tag & 7) {
    case 0:
      out.type = WireType::kVarint;
      out.value = reader.varint(name_);
      return;
    case 1:
      out.type = WireType::kFixed64;
      out.value = reader.u64_le(name_);
      return;
    case 5:
      out.type = WireType::kFixed32;
      out.value = reader.u32_le(name_);
      return;
    case 2: {
      out.type = WireType::kBytes;
      const std::uint64_t size = reader.varint(name_);
      out.offset = reader.offset();
      out.bytes = reader.bytes(size, name_);
      return;
    }
    case 3:
    case 4: reader.fail(name_, "the file uses protobuf groups, which no ONNX message has");
    default: reader.fail(name_, "a wire type is unknown", "0, 1, 2 or 5", std::to_string(tag & 7));
  }
}

void WireMessage::require(const WireField& field, WireType type, const char* expected) const {
  if (field.type == type) return;
  ByteReader(bytes_, file_, field.offset)
      .fail(std::string(name_) + ", field " + std::to_string(field.number),
            "a field has the wrong wire type", expected,
            "wire type " + std::to_string(static_cast<int>(field.type)));
}

}  // namespace octavo::formats
