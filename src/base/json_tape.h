// The storage of a JsonDocument: written by json_parser.cc, read by json.cc; nobody else includes
// this.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace octavo::json_detail {

constexpr std::size_t kSmallObject = 8;  // members up to which lookup is a scan

// A tape word: the type in the top four bits, a payload of 60 bits below.
//   kInt: the value, sign-extended          kDouble: the next word holds the bits
//   kString: index of the string            kBool: 0 or 1
//   kArray, kObject: index after the last child; the next word holds the count (and, for large
//   objects, where their sorted keys start)
constexpr int kTypeShift = 60;
constexpr std::uint64_t kPayloadMask = (std::uint64_t{1} << kTypeShift) - 1;

struct Tape {
  static constexpr std::size_t kChunk = std::size_t{1} << 14;

  std::string file;
  std::vector<std::unique_ptr<std::uint64_t[]>> words;
  std::size_t word_count = 0;
  // Strings lie back to back in chunks: a 4-byte length, then the bytes. A string's index is chunk
  // << 32 | offset.
  std::vector<std::unique_ptr<char[]>> strings;
  std::size_t string_used = 0, string_capacity = 0;
  std::vector<std::uint32_t>
      sorted;  // tape positions of keys, in key order, one run a large object
  std::size_t allocated = 0, budget = 0;

  std::uint64_t word(std::size_t i) const { return words[i / kChunk][i % kChunk]; }
  std::uint64_t& word(std::size_t i) { return words[i / kChunk][i % kChunk]; }
  JsonType type(std::size_t i) const { return static_cast<JsonType>(word(i) >> kTypeShift); }
  std::uint64_t payload(std::size_t i) const { return word(i) & kPayloadMask; }
  std::size_t count(std::size_t i) const { return word(i + 1) & 0xffffffffu; }

  std::string_view string(std::size_t i) const {
    const std::uint64_t at = payload(i);
    const char* p = strings[at >> 32].get() + (at & 0xffffffffu);
    std::uint32_t size;
    std::memcpy(&size, p, sizeof size);
    return {p + sizeof size, size};
  }

  std::size_t next(std::size_t i) const {
    switch (type(i)) {
      case JsonType::kArray:
      case JsonType::kObject: return payload(i);
      case JsonType::kDouble: return i + 2;
      default: return i + 1;
    }
  }

  static JsonValue value(const Tape* tape, std::size_t i, std::string_view key) {
    return {tape, i, key};
  }

  [[noreturn]] void fail(std::string message, std::string place = {}, std::string expected = {},
                         std::string found = {}) const {
    throw Error(ErrorCode::kInvalidFile, {.message = std::move(message),
                                          .file = file,
                                          .place = std::move(place),
                                          .expected = std::move(expected),
                                          .found = std::move(found),
                                          .fix = "correct the JSON or fetch the file again"});
  }

  void charge(std::size_t bytes) {
    allocated += bytes;
    if (allocated > budget) {
      fail("the document holds more values than a file of its size should", {},
           "at most " + std::to_string(budget) + " bytes of parsed values");
    }
  }

  std::size_t push(JsonType type, std::uint64_t payload) {
    return push_word(static_cast<std::uint64_t>(type) << kTypeShift | (payload & kPayloadMask));
  }

  std::size_t push_word(std::uint64_t bits) {
    if (word_count % kChunk == 0) {
      charge(kChunk * sizeof(std::uint64_t));
      words.push_back(std::make_unique<std::uint64_t[]>(kChunk));
    }
    word(word_count) = bits;
    return word_count++;
  }

  // Room for a string of at most `size` bytes, which the caller fills and then passes to
  // push_string().
  char* string_room(std::size_t size) {
    constexpr std::size_t kStringChunk = std::size_t{1} << 17;
    if (size > 0xfffffff0u) fail("a string is longer than 4 GiB");
    const std::size_t need = size + sizeof(std::uint32_t);
    if (strings.empty() || need > string_capacity - string_used) {
      string_capacity = std::max(kStringChunk, need);
      charge(string_capacity);
      strings.push_back(std::make_unique_for_overwrite<char[]>(string_capacity));
      string_used = 0;
    }
    return strings.back().get() + string_used + sizeof(std::uint32_t);
  }

  void push_string(std::size_t actual_size) {
    const auto size = static_cast<std::uint32_t>(actual_size);
    std::memcpy(strings.back().get() + string_used, &size, sizeof size);
    push(JsonType::kString, static_cast<std::uint64_t>(strings.size() - 1) << 32 | string_used);
    string_used += sizeof size + actual_size;
  }
};

// Fills `tape` from the text of one document; throws Error(kInvalidFile).
void parse_json(std::string_view text, Tape& tape);

}  // namespace octavo::json_detail
