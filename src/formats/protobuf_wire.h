// The protocol-buffers wire format over the bounded reader: one field at a time, nothing allocated.
// https://protobuf.dev/programming-guides/encoding/
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/byte_reader.h"
#include "base/memory_budget.h"

namespace octavo::formats {

enum class WireType : std::uint8_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

struct WireField {
  std::uint32_t number = 0;
  WireType type = WireType::kVarint;
  std::uint64_t value = 0;           // varint and fixed types
  std::span<const std::byte> bytes;  // kBytes
  std::size_t offset = 0;            // of the value, in the file
};

class WireMessage {
 public:
  /// `name` (a literal) is the message type, for errors.
  WireMessage(std::span<const std::byte> bytes, std::string_view file, std::size_t offset,
              const char* name)
      : bytes_(bytes), file_(file), offset_(offset), name_(name) {}
  /// The sub-message in `field`; refuses a field that is none.
  WireMessage(const WireMessage& parent, const WireField& field, const char* name)
      : WireMessage(parent.bytes(field), parent.file_, field.offset, name) {}

  /// Calls body(field) for every field. Groups and unknown wire types are refused.
  template <typename Body>
  void for_each(Body&& body) const {
    ByteReader reader(bytes_, file_, offset_);
    WireField field;
    while (!reader.done()) {
      next(reader, field);
      body(static_cast<const WireField&>(field));
    }
  }

  /// How often each of the fields 1 to 31 occurs.
  std::array<std::size_t, 32> counts() const {
    std::array<std::size_t, 32> out{};
    for_each([&](const WireField& field) {
      if (field.number < out.size()) ++out[field.number];
    });
    return out;
  }

  // A field's value; Error when the wire type is another one.
  std::uint64_t varint(const WireField& field) const {
    require(field, WireType::kVarint, "a variable-length integer");
    return field.value;
  }
  float float32(const WireField& field) const {
    require(field, WireType::kFixed32, "four bytes");
    return std::bit_cast<float>(static_cast<std::uint32_t>(field.value));
  }
  std::span<const std::byte> bytes(const WireField& field) const {
    require(field, WireType::kBytes, "a length and bytes");
    return field.bytes;
  }

  /// Calls body(value) for every element of the repeated number `number`, packed or not. `element`
  /// is the wire type of one element; fixed types come as their bits.
  template <typename Body>
  void for_each_number(std::uint32_t number, WireType element, Body&& body) const {
    for_each([&](const WireField& field) {
      if (field.number != number) return;
      if (field.type != WireType::kBytes) {
        require(field, element, "a number");
        body(field.value);
        return;
      }
      ByteReader packed(field.bytes, file_, field.offset);
      while (!packed.done()) {
        body(element == WireType::kVarint    ? packed.varint(name_)
             : element == WireType::kFixed32 ? std::uint64_t{packed.u32_le(name_)}
                                             : packed.u64_le(name_));
      }
    });
  }

  /// Elements of a repeated number as a vector of exactly the size they need.
  template <typename T>
  std::vector<T> numbers(std::uint32_t number, WireType element, MemoryBudget& budget) const {
    std::size_t count = 0;
    for_each_number(number, element, [&](std::uint64_t) { ++count; });
    budget.charge(count, sizeof(T), name_);
    std::vector<T> out;
    out.reserve(count);
    for_each_number(number, element, [&](std::uint64_t value) {
      if constexpr (sizeof(T) == sizeof(float)) {
        out.push_back(std::bit_cast<T>(static_cast<std::uint32_t>(value)));
      } else {
        out.push_back(static_cast<T>(value));
      }
    });
    return out;
  }

  [[noreturn]] void fail(std::string message, std::string expected = {},
                         std::string found = {}) const {
    ByteReader(bytes_, file_, offset_)
        .fail(name_, std::move(message), std::move(expected), std::move(found));
  }

  std::string_view file() const { return file_; }
  std::size_t offset() const { return offset_; }
  std::size_t size() const { return bytes_.size(); }
  const char* name() const { return name_; }

 private:
  void next(ByteReader& reader, WireField& out) const;
  void require(const WireField& field, WireType type, const char* expected) const;

  std::span<const std::byte> bytes_;
  std::string_view file_;
  std::size_t offset_;
  const char* name_;
};

}  // namespace octavo::formats
