// Read-only JSON documents from outside: strict syntax (RFC 8259) and UTF-8, at most 128 levels,
// duplicate keys refused, memory bounded by the size of the text (8 bytes a value, strings once;
// the text and 12 MiB at most). Own parser, because that bound holds for no library's token
// buffers. Writing JSON is nlohmann-json's job.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "octavo/error.h"

namespace octavo {

namespace json_detail {
struct Tape;
}

enum class JsonType { kNull, kBool, kInt, kDouble, kString, kArray, kObject };

/// One value of a document; cheap to copy, valid while the JsonDocument lives.
class JsonValue {
 public:
  JsonType type() const;
  bool is_null() const { return type() == JsonType::kNull; }
  bool is_string() const { return type() == JsonType::kString; }
  bool is_number() const { return type() == JsonType::kInt || type() == JsonType::kDouble; }
  bool is_array() const { return type() == JsonType::kArray; }
  bool is_object() const { return type() == JsonType::kObject; }

  // Typed access; Error(kInvalidFile) with file and key when the type is another one.
  bool as_bool() const;
  std::int64_t as_int() const;  // an integer, or a double that is one
  double as_double() const;     // any number
  std::string_view as_string() const;

  /// Elements of an array, members of an object; 0 for the others.
  std::size_t size() const;

  /// Member of an object; nothing when absent or when this is no object. `null` members are
  /// returned.
  std::optional<JsonValue> find(std::string_view key) const;
  /// Member of an object, which must be there.
  JsonValue at(std::string_view key) const;
  /// As find(), but a `null` member counts as absent.
  std::optional<JsonValue> get(std::string_view key) const;

  // Member or default; absent and null give the default, another type is an error.
  std::int64_t int_or(std::string_view key, std::int64_t fallback) const;
  double double_or(std::string_view key, double fallback) const;
  bool bool_or(std::string_view key, bool fallback) const;
  std::string string_or(std::string_view key, std::string_view fallback) const;

  /// Iteration in file order: `for (JsonValue e : v.elements())`, `for (auto [key, e] :
  /// v.members())`.
  class ElementIterator;
  class MemberIterator;
  template <typename It>
  struct Range {
    It first, last;
    It begin() const { return first; }
    It end() const { return last; }
  };
  Range<ElementIterator> elements() const;  // error unless an array
  Range<MemberIterator> members() const;    // error unless an object

  /// Where this is, for messages: "key 'x'".
  std::string place() const;
  const std::string& file() const;
  [[noreturn]] void fail(std::string message, std::string expected = {},
                         std::string found = {}) const;

 private:
  friend class JsonDocument;
  friend struct json_detail::Tape;
  JsonValue(const json_detail::Tape* tape, std::size_t index, std::string_view key)
      : tape_(tape), index_(index), key_(key) {}

  const json_detail::Tape* tape_;
  std::size_t index_;
  std::string_view key_;
};

class JsonValue::ElementIterator {
 public:
  using iterator_category = std::forward_iterator_tag;
  using value_type = JsonValue;
  using difference_type = std::ptrdiff_t;
  ElementIterator(JsonValue array, std::size_t index) : parent_(array), index_(index) {}
  JsonValue operator*() const;
  ElementIterator& operator++();
  bool operator==(const ElementIterator& other) const { return index_ == other.index_; }

 private:
  JsonValue parent_;
  std::size_t index_;
};

class JsonValue::MemberIterator {
 public:
  using iterator_category = std::forward_iterator_tag;
  using value_type = std::pair<std::string_view, JsonValue>;
  using difference_type = std::ptrdiff_t;
  MemberIterator(JsonValue object, std::size_t index) : parent_(object), index_(index) {}
  std::pair<std::string_view, JsonValue> operator*() const;
  MemberIterator& operator++();
  bool operator==(const MemberIterator& other) const { return index_ == other.index_; }

 private:
  JsonValue parent_;
  std::size_t index_;
};

/// Owns a parsed document. Cheap to copy (shared).
class JsonDocument {
 public:
  /// `file` names the source in errors. Throws Error(kInvalidFile).
  static JsonDocument parse(std::string_view text, std::string file);
  static JsonDocument parse_file(const std::string& path);

  JsonValue root() const;
  /// Bytes that the parsed values take.
  std::size_t memory() const;

 private:
  explicit JsonDocument(std::shared_ptr<const json_detail::Tape> tape) : tape_(std::move(tape)) {}
  std::shared_ptr<const json_detail::Tape> tape_;
};

}  // namespace octavo
