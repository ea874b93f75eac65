// Normalizers that look at one code point at a time.
#pragma once

#include "tokenizer/component.h"
#include "tokenizer/unicode.h"

namespace octavo::tokenizer {

inline constexpr char32_t kRemoved = 0xffffffff;

/// Replaces each code point by map(c); kRemoved drops it.
template <typename Map>
void map_points(Text& text, Map&& map) {
  std::string out;
  out.reserve(text.text.size());
  for (const char *p = text.text.data(), *end = p + text.text.size(); p < end;) {
    const char32_t c = map(decode(p));
    if (c == kRemoved) {
      if (out.empty()) text.at_start = false;
    } else {
      append_utf8(out, c);
    }
  }
  text.text = std::move(out);
}

}  // namespace octavo::tokenizer
