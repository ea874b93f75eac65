// Strict RFC 8259 syntax into a Tape, without buffers of its own: strings are decoded straight into
// their final place.
#include <bit>
#include <charconv>
#include <cmath>
#include <system_error>

#include "base/json_tape.h"
#include "base/utf8.h"

namespace octavo::json_detail {
namespace {

constexpr std::size_t kMaxDepth = 128;

class Parser {
 public:
  Parser(std::string_view text, Tape& tape) : text_(text), tape_(tape) {}

  void document() {
    if (text_.starts_with("\xEF\xBB\xBF")) position_ = 3;
    next_token();
    value();
    while (!open_.empty()) {
      if (open_.back().object ? member() : element()) value();
    }
    next_token();
    if (position_ != text_.size())
      fail("there is more after the end of the document", "the end", here());
  }

 private:
  struct Open {
    std::size_t index, count;
    bool object;
  };

  [[noreturn]] void fail(std::string message, std::string expected = {},
                         std::string found = {}) const {
    const auto before = text_.substr(0, position_);
    const auto line = static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n')) + 1;
    const std::size_t start = before.rfind('\n') + 1;  // npos + 1 is 0
    tape_.fail("this is not valid JSON: " + std::move(message),
               "line " + std::to_string(line) + ", byte " + std::to_string(position_ - start + 1),
               std::move(expected), std::move(found));
  }

  std::string here() const {
    if (position_ >= text_.size()) return "the end of the text";
    const auto c = static_cast<unsigned char>(text_[position_]);
    if (c > 0x20 && c < 0x7f) return "'" + std::string(1, text_[position_]) + "'";
    return "the byte " + std::to_string(c);
  }

  char peek() const { return position_ < text_.size() ? text_[position_] : '\0'; }

  void next_token() {
    while (position_ < text_.size()) {
      const char c = text_[position_];
      if (c != ' ' && c != '\n' && c != '\t' && c != '\r') break;
      ++position_;
    }
  }

  bool take(char c) {
    if (peek() != c || position_ >= text_.size()) return false;
    ++position_;
    return true;
  }

  // Moves to the next value of the innermost array; false when the array ended.
  bool element() { return separator(']', "',' or ']'"); }

  // Reads the next key of the innermost object; false when the object ended.
  bool member() {
    if (!separator('}', "',' or '}'")) return false;
    if (peek() != '"') fail("a key is missing", "a string in quotes", here());
    string();
    next_token();
    if (!take(':')) fail("a colon is missing after a key", "':'", here());
    next_token();
    return true;
  }

  bool separator(char end, const char* expected) {
    next_token();
    Open& open = open_.back();
    if (take(end)) {
      if (open.object) check_keys(open);
      tape_.word(open.index) |= tape_.word_count;
      tape_.word(open.index + 1) |= open.count;
      open_.pop_back();
      return false;
    }
    if (open.count != 0) {
      if (!take(',')) fail("a separator is missing", expected, here());
      next_token();
    }
    ++open.count;
    return true;
  }

  void value() {
    if (tape_.word_count > 0xfffffff0u) tape_.fail("the document has too many values");
    switch (peek()) {
      case '{': return open(JsonType::kObject);
      case '[': return open(JsonType::kArray);
      case '"': return string();
      case 't': return literal("true", JsonType::kBool, 1);
      case 'f': return literal("false", JsonType::kBool, 0);
      case 'n': return literal("null", JsonType::kNull, 0);
      default: return number();
    }
  }

  void open(JsonType type) {
    if (open_.size() == kMaxDepth) {
      tape_.fail("the document is nested too deeply", {},
                 "at most " + std::to_string(kMaxDepth) + " levels");
    }
    ++position_;
    open_.push_back({tape_.push(type, 0), 0, type == JsonType::kObject});
    tape_.push_word(0);
  }

  void literal(std::string_view word, JsonType type, std::uint64_t payload) {
    if (text_.substr(position_, word.size()) != word)
      fail("a value is broken", "a JSON value", here());
    position_ += word.size();
    tape_.push(type, payload);
  }

  void digits() {
    const std::size_t start = position_;
    while (peek() >= '0' && peek() <= '9') ++position_;
    if (position_ == start) fail("a value is broken", "a digit", here());
  }

  void number() {
    const std::size_t start = position_;
    const bool negative = take('-');
    if (peek() < '0' || peek() > '9') {
      fail("a value is broken", negative ? "a digit" : "a JSON value", here());
    }
    if (!take('0')) digits();
    bool integer = true;
    if (take('.')) {
      integer = false;
      digits();
    }
    if (peek() == 'e' || peek() == 'E') {
      integer = false;
      ++position_;
      if (!take('+')) take('-');
      digits();
    }
    const std::string_view token = text_.substr(start, position_ - start);
    const char* const last = token.data() + token.size();
    if (integer) {
      constexpr std::int64_t kLimit = std::int64_t{1} << 58;  // what a tape word can hold
      std::int64_t out = 0;
      if (std::from_chars(token.data(), last, out).ec == std::errc() && out > -kLimit &&
          out < kLimit) {
        tape_.push(JsonType::kInt, static_cast<std::uint64_t>(out));
        return;
      }
    }
    double out = 0;
    if (std::from_chars(token.data(), last, out).ec != std::errc()) {
      if (is_huge(token)) {
        position_ = start;
        fail("a number is too large", "at most 1.8e308");
      }
      out = negative ? -0.0 : 0.0;
    }
    tape_.push(JsonType::kDouble, 0);
    tape_.push_word(std::bit_cast<std::uint64_t>(out));
  }

  // Whether a number that no double can hold is too large rather than too small: by the place of
  // its first digit.
  static bool is_huge(std::string_view token) {
    const std::size_t e = token.find_first_of("eE");
    const std::string_view mantissa = token.substr(0, e);
    const std::size_t dot = std::min(mantissa.find('.'), mantissa.size());
    const std::size_t lead = mantissa.find_first_of("123456789");
    if (lead == std::string_view::npos) return false;
    const auto place = static_cast<std::int64_t>(dot) - static_cast<std::int64_t>(lead);
    if (e == std::string_view::npos) return place > 0;
    const std::string_view exponent = token.substr(e + (token[e + 1] == '+' ? 2 : 1));
    std::int64_t power = 0;
    if (std::from_chars(exponent.data(), exponent.data() + exponent.size(), power).ec !=
        std::errc()) {
      return exponent[0] != '-';
    }
    return power > -place;
  }

  void string() {
    ++position_;
    // The raw length bounds the decoded one.
    std::size_t end = position_;
    while (end < text_.size() && text_[end] != '"') end += text_[end] == '\\' ? 2 : 1;
    if (end >= text_.size()) {
      position_ = text_.size();
      fail("a string does not end", "'\"'", "the end of the text");
    }
    char* const begin = tape_.string_room(end - position_);
    char* out = begin;
    while (position_ < end) {
      const auto c = static_cast<unsigned char>(text_[position_]);
      if (c == '\\') {
        out = escape(out);
      } else if (c < 0x20) {
        fail("a string holds a control character", "an escape such as \\n", here());
      } else if (c < 0x80) {
        *out++ = static_cast<char>(c);
        ++position_;
      } else {
        const std::size_t size = utf8_sequence(text_.substr(position_, end - position_));
        if (size == 0) fail("a string is not UTF-8", {}, here());
        std::memcpy(out, text_.data() + position_, size);
        out += size;
        position_ += size;
      }
    }
    ++position_;
    tape_.push_string(static_cast<std::size_t>(out - begin));
  }

  char* escape(char* out) {
    const char c = text_[position_ + 1];
    position_ += 2;
    switch (c) {
      case '"': *out++ = '"'; break;
      case '\\': *out++ = '\\'; break;
      case '/': *out++ = '/'; break;
      case 'b': *out++ = '\b'; break;
      case 'f': *out++ = '\f'; break;
      case 'n': *out++ = '\n'; break;
      case 'r': *out++ = '\r'; break;
      case 't': *out++ = '\t'; break;
      case 'u': {
        std::uint32_t code = hex4();
        if (code >= 0xdc00 && code < 0xe000) fail("an escape is half a surrogate pair");
        if (code >= 0xd800 && code < 0xdc00) {
          if (!take('\\') || !take('u')) fail("an escape is half a surrogate pair", "\\u", here());
          const std::uint32_t low = hex4();
          if (low < 0xdc00 || low >= 0xe000) fail("an escape is half a surrogate pair");
          code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        }
        out = utf8_encode(code, out);
        break;
      }
      default: position_ -= 1; fail("an escape is unknown", "one of \" \\ / b f n r t u", here());
    }
    return out;
  }

  std::uint32_t hex4() {
    std::uint32_t out = 0;
    for (int i = 0; i < 4; ++i, ++position_) {
      const char c = peek();
      if (c >= '0' && c <= '9')
        out = out << 4 | static_cast<std::uint32_t>(c - '0');
      else if (c >= 'a' && c <= 'f')
        out = out << 4 | static_cast<std::uint32_t>(c - 'a' + 10);
      else if (c >= 'A' && c <= 'F')
        out = out << 4 | static_cast<std::uint32_t>(c - 'A' + 10);
      else
        fail("an escape is broken", "four hexadecimal digits", here());
    }
    return out;
  }

  // Refuses equal keys, and keeps the order of a large object's keys for lookup.
  void check_keys(const Open& open) {
    // The runs' growth and the list below: at most 16 bytes a key.
    if (open.count > kSmallObject) tape_.charge(4 * open.count * sizeof(std::uint32_t));
    std::vector<std::uint32_t> keys;
    keys.reserve(open.count);
    for (std::size_t i = open.index + 2; i < tape_.word_count; i = tape_.next(i + 1)) {
      keys.push_back(static_cast<std::uint32_t>(i));
    }
    std::sort(keys.begin(), keys.end(),
              [&](auto a, auto b) { return tape_.string(a) < tape_.string(b); });
    for (std::size_t i = 1; i < keys.size(); ++i) {
      if (tape_.string(keys[i]) == tape_.string(keys[i - 1])) {
        tape_.fail("an object has the same key twice",
                   "key '" + std::string(tape_.string(keys[i]).substr(0, 200)) + "'");
      }
    }
    if (open.count > kSmallObject) {
      tape_.word(open.index + 1) |= static_cast<std::uint64_t>(tape_.sorted.size()) << 32;
      tape_.sorted.insert(tape_.sorted.end(), keys.begin(), keys.end());
    }
  }

  std::string_view text_;
  Tape& tape_;
  std::size_t position_ = 0;
  std::vector<Open> open_;
};

}  // namespace

void parse_json(std::string_view text, Tape& tape) { Parser(text, tape).document(); }

}  // namespace octavo::json_detail
