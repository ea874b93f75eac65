// UTF-8, one code point at a time (RFC 3629: no surrogates, no overlong forms, nothing above
// U+10FFFF).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace octavo {

/// Length of the valid sequence that `text` starts with; 0 when it starts with none.
inline std::size_t utf8_sequence(std::string_view text) {
  if (text.empty()) return 0;
  const auto at = [&](std::size_t i) {
    return static_cast<unsigned char>(i < text.size() ? text[i] : '\0');
  };
  const auto tail = [&](std::size_t i) { return (at(i) & 0xc0) == 0x80; };
  const unsigned char c = at(0);
  if (c < 0x80) return 1;
  if (c >= 0xc2 && c < 0xe0) return tail(1) ? 2 : 0;
  if (c >= 0xe0 && c < 0xf0) {
    if (!tail(1) || !tail(2) || (c == 0xe0 && at(1) < 0xa0) || (c == 0xed && at(1) >= 0xa0))
      return 0;
    return 3;
  }
  if (c >= 0xf0 && c < 0xf5) {
    if (!tail(1) || !tail(2) || !tail(3) || (c == 0xf0 && at(1) < 0x90) ||
        (c == 0xf4 && at(1) >= 0x90))
      return 0;
    return 4;
  }
  return 0;
}

/// Whether all of `text` is UTF-8.
inline bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t size = utf8_sequence(text);
    if (size == 0) return false;
    text.remove_prefix(size);
  }
  return true;
}

/// Writes the code point (a Unicode scalar value) at `out`; returns the end.
inline char* utf8_encode(std::uint32_t code, char* out) {
  const auto tail = [](std::uint32_t bits) { return static_cast<char>(0x80 | (bits & 0x3f)); };
  if (code < 0x80) {
    *out++ = static_cast<char>(code);
  } else if (code < 0x800) {
    *out++ = static_cast<char>(0xc0 | code >> 6);
    *out++ = tail(code);
  } else if (code < 0x10000) {
    *out++ = static_cast<char>(0xe0 | code >> 12);
    *out++ = tail(code >> 6);
    *out++ = tail(code);
  } else {
    *out++ = static_cast<char>(0xf0 | code >> 18);
    *out++ = tail(code >> 12);
    *out++ = tail(code >> 6);
    *out++ = tail(code);
  }
  return out;
}

}  // namespace octavo
