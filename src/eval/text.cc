#include "eval/text.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/utf8.h"

namespace octavo::eval {
namespace {

// Length of the UTF-8 sequence that `text` starts with, 0 for none; `code` receives its code point.
std::size_t decode(std::string_view text, std::uint32_t& code) {
  const std::size_t length = utf8_sequence(text);
  if (length == 0) return 0;
  const auto byte = [&](std::size_t i) -> std::uint32_t {
    return static_cast<unsigned char>(text[i]);
  };
  code = length == 1 ? byte(0) : byte(0) & (0x7Fu >> length);
  for (std::size_t i = 1; i < length; ++i) code = code << 6 | (byte(i) & 0x3F);
  return length;
}

bool is_space(std::uint32_t code) {
  return (code >= 0x09 && code <= 0x0D) || (code >= 0x1C && code <= 0x20) || code == 0x85 ||
         code == 0xA0 || code == 0x1680 || (code >= 0x2000 && code <= 0x200A) || code == 0x2028 ||
         code == 0x2029 || code == 0x202F || code == 0x205F || code == 0x3000;
}

template <typename Number>
std::optional<Number> parse_number(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

void check_bytes(std::string_view line, const LineContext& where) {
  if (where.line == 1 && line.starts_with("\xEF\xBB\xBF")) {
    where.fail("the file begins with a byte order mark", "plain UTF-8", "EF BB BF",
               "remove the first three bytes");
  }
  if (line.find('\0') != std::string_view::npos) {
    where.fail("a line holds a NUL byte", "text", "byte 0",
               "the file is damaged or not text: fetch it again");
  }
  if (!is_utf8(line)) {
    where.fail("a line is not UTF-8", "UTF-8", quote(line), "convert the file to UTF-8");
  }
}

}  // namespace

void LineContext::fail(std::string message, std::string expected, std::string found,
                       std::string fix, ErrorCode code) const {
  throw Error(code, {.message = std::move(message),
                     .file = file,
                     .place = "line " + std::to_string(line),
                     .expected = std::move(expected),
                     .found = std::move(found),
                     .fix = std::move(fix)});
}

void for_each_line(std::string_view text, const std::string& file,
                   const std::function<void(std::string_view, const LineContext&)>& visit) {
  std::size_t number = 0, empty = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    std::string_view line = text.substr(begin, end - begin);
    begin = end + 1;
    ++number;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) {
      if (empty == 0) empty = number;
      continue;
    }
    if (empty != 0) {
      LineContext{file, empty}.fail("a line is empty", "one record a line", "nothing",
                                    "remove the line");
    }
    const LineContext where{file, number};
    check_bytes(line, where);
    visit(line, where);
  }
}

std::vector<std::string_view> split_tabs(std::string_view line) {
  std::vector<std::string_view> fields;
  while (true) {
    const std::size_t end = line.find('\t');
    fields.push_back(line.substr(0, end));
    if (end == std::string_view::npos) return fields;
    line.remove_prefix(end + 1);
  }
}

std::vector<std::string_view> split_blanks(std::string_view line) {
  constexpr std::string_view kBlanks = " \t";
  std::vector<std::string_view> fields;
  for (std::size_t begin = line.find_first_not_of(kBlanks); begin != std::string_view::npos;) {
    const std::size_t end = line.find_first_of(kBlanks, begin);
    fields.push_back(line.substr(begin, end - begin));
    begin = line.find_first_not_of(kBlanks, end);
  }
  return fields;
}

std::optional<std::int32_t> parse_int(std::string_view text) {
  return parse_number<std::int32_t>(text);
}
std::optional<double> parse_double(std::string_view text) { return parse_number<double>(text); }

std::string_view strip(std::string_view text) {
  std::uint32_t code = 0;
  while (!text.empty()) {
    const std::size_t length = decode(text, code);
    if (length == 0 || !is_space(code)) break;
    text.remove_prefix(length);
  }
  while (!text.empty()) {
    std::size_t at = text.size() - 1;
    while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) --at;
    const std::size_t length = decode(text.substr(at), code);
    if (length != text.size() - at || !is_space(code)) break;
    text.remove_suffix(length);
  }
  return text;
}

std::string quote(std::string_view text) {
  constexpr std::size_t kShown = 80;
  std::string out = "'";
  for (const char c : text.substr(0, kShown))
    out += static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? '?' : c;
  // The cut may fall within a character, and the text may be no UTF-8 at all.
  for (std::size_t at = 0; at < out.size();) {
    const std::size_t length = utf8_sequence(std::string_view(out).substr(at));
    if (length == 0) out[at] = '?';
    at += std::max<std::size_t>(length, 1);
  }
  return out + (text.size() > kShown ? "...'" : "'");
}

}  // namespace octavo::eval
