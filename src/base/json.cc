#include "base/json.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/file.h"
#include "base/json_tape.h"

namespace octavo {
using json_detail::Tape;

namespace {
// Parsed values may take as much as the text and this; with the text itself that stays within twice
// the file and 16 MiB.
constexpr std::size_t kSlack = std::size_t{12} << 20;
constexpr const char* kTypeNames[] = {"null",     "a boolean", "an integer", "a number",
                                      "a string", "an array",  "an object"};
}  // namespace

JsonType JsonValue::type() const { return tape_->type(index_); }

const std::string& JsonValue::file() const { return tape_->file; }

std::string JsonValue::place() const {
  return key_.empty() ? std::string() : "key '" + std::string(key_) + "'";
}

void JsonValue::fail(std::string message, std::string expected, std::string found) const {
  tape_->fail(std::move(message), place(), std::move(expected), std::move(found));
}

bool JsonValue::as_bool() const {
  if (type() != JsonType::kBool)
    fail("wrong type", "true or false", kTypeNames[static_cast<int>(type())]);
  return tape_->payload(index_) != 0;
}

std::int64_t JsonValue::as_int() const {
  if (type() == JsonType::kInt) {
    return static_cast<std::int64_t>(tape_->word(index_) << 4) >> 4;
  }
  if (type() == JsonType::kDouble) {
    const double value = as_double();
    if (std::nearbyint(value) == value && std::abs(value) < 9e15)
      return static_cast<std::int64_t>(value);
  }
  fail("wrong type", "an integer", kTypeNames[static_cast<int>(type())]);
}

double JsonValue::as_double() const {
  if (type() == JsonType::kInt) return static_cast<double>(as_int());
  if (type() != JsonType::kDouble)
    fail("wrong type", "a number", kTypeNames[static_cast<int>(type())]);
  return std::bit_cast<double>(tape_->word(index_ + 1));
}

std::string_view JsonValue::as_string() const {
  if (type() != JsonType::kString)
    fail("wrong type", "a string", kTypeNames[static_cast<int>(type())]);
  return tape_->string(index_);
}

std::size_t JsonValue::size() const { return is_array() || is_object() ? tape_->count(index_) : 0; }

std::optional<JsonValue> JsonValue::find(std::string_view key) const {
  if (!is_object()) return std::nullopt;
  const std::size_t count = tape_->count(index_);
  if (count <= json_detail::kSmallObject) {
    std::size_t i = index_ + 2;
    for (std::size_t n = 0; n < count; ++n, i = tape_->next(i + 1)) {
      if (tape_->string(i) == key) return JsonValue(tape_, i + 1, tape_->string(i));
    }
    return std::nullopt;
  }
  const auto first =
      tape_->sorted.begin() + static_cast<std::ptrdiff_t>(tape_->word(index_ + 1) >> 32);
  const auto last = first + static_cast<std::ptrdiff_t>(count);
  const auto it = std::lower_bound(
      first, last, key, [&](auto i, std::string_view k) { return tape_->string(i) < k; });
  if (it == last || tape_->string(*it) != key) return std::nullopt;
  return JsonValue(tape_, *it + 1, tape_->string(*it));
}

std::optional<JsonValue> JsonValue::get(std::string_view key) const {
  auto value = find(key);
  if (value && value->is_null()) value.reset();
  return value;
}

JsonValue JsonValue::at(std::string_view key) const {
  if (!is_object()) fail("wrong type", "an object", kTypeNames[static_cast<int>(type())]);
  const auto value = find(key);
  if (!value) fail("a key is missing", "'" + std::string(key) + "'", "no such key");
  return *value;
}

std::int64_t JsonValue::int_or(std::string_view key, std::int64_t fallback) const {
  const auto value = get(key);
  return value ? value->as_int() : fallback;
}

double JsonValue::double_or(std::string_view key, double fallback) const {
  const auto value = get(key);
  return value ? value->as_double() : fallback;
}

bool JsonValue::bool_or(std::string_view key, bool fallback) const {
  const auto value = get(key);
  return value ? value->as_bool() : fallback;
}

std::string JsonValue::string_or(std::string_view key, std::string_view fallback) const {
  const auto value = get(key);
  return std::string(value ? value->as_string() : fallback);
}

JsonValue::Range<JsonValue::ElementIterator> JsonValue::elements() const {
  if (!is_array()) fail("wrong type", "an array", kTypeNames[static_cast<int>(type())]);
  return {{*this, index_ + 2}, {*this, tape_->payload(index_)}};
}

JsonValue::Range<JsonValue::MemberIterator> JsonValue::members() const {
  if (!is_object()) fail("wrong type", "an object", kTypeNames[static_cast<int>(type())]);
  return {{*this, index_ + 2}, {*this, tape_->payload(index_)}};
}

JsonValue JsonValue::ElementIterator::operator*() const {
  return Tape::value(parent_.tape_, index_, parent_.key_);
}

JsonValue::ElementIterator& JsonValue::ElementIterator::operator++() {
  index_ = parent_.tape_->next(index_);
  return *this;
}

std::pair<std::string_view, JsonValue> JsonValue::MemberIterator::operator*() const {
  const std::string_view key = parent_.tape_->string(index_);
  return {key, Tape::value(parent_.tape_, index_ + 1, key)};
}

JsonValue::MemberIterator& JsonValue::MemberIterator::operator++() {
  index_ = parent_.tape_->next(index_ + 1);
  return *this;
}

JsonDocument JsonDocument::parse(std::string_view text, std::string file) {
  auto tape = std::make_shared<Tape>();
  tape->file = std::move(file);
  tape->budget = text.size() + kSlack;
  json_detail::parse_json(text, *tape);
  return JsonDocument(std::move(tape));
}

JsonDocument JsonDocument::parse_file(const std::string& path) {
  const auto buffer = read_file(path);
  return parse({reinterpret_cast<const char*>(buffer->data()), buffer->size()}, path);
}

std::size_t JsonDocument::memory() const { return tape_->allocated; }

JsonValue JsonDocument::root() const { return Tape::value(tape_.get(), 0, {}); }

}  // namespace octavo
