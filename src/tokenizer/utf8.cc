// UTF-8: writing it, checking it, mending it.
#include <algorithm>
#include <cstring>

#include "tokenizer/unicode.h"

namespace octavo::tokenizer {

void append_utf8(std::string& out, char32_t c) {
  const auto byte = [](char32_t v) { return static_cast<char>(v); };
  if (c < 0x80) {
    out.push_back(byte(c));
  } else if (c < 0x800) {
    const char s[] = {byte(0xc0 | c >> 6), byte(0x80 | (c & 63))};
    out.append(s, 2);
  } else if (c < 0x10000) {
    const char s[] = {byte(0xe0 | c >> 12), byte(0x80 | (c >> 6 & 63)), byte(0x80 | (c & 63))};
    out.append(s, 3);
  } else {
    const char s[] = {byte(0xf0 | c >> 18), byte(0x80 | (c >> 12 & 63)), byte(0x80 | (c >> 6 & 63)),
                      byte(0x80 | (c & 63))};
    out.append(s, 4);
  }
}

std::size_t count_code_points(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

bool is_ascii(std::string_view text) {
  std::size_t i = 0;
  for (; i + 8 <= text.size(); i += 8) {
    std::uint64_t word;
    std::memcpy(&word, text.data() + i, 8);
    if (word & 0x8080808080808080u) return false;
  }
  for (; i < text.size(); ++i) {
    if (static_cast<unsigned char>(text[i]) >= 0x80) return false;
  }
  return true;
}

namespace {

// Length of the valid sequence at `i`, or minus the length of the maximal invalid part.
int sequence_length(std::string_view text, std::size_t i) {
  const auto at = [&](std::size_t k) {
    return k < text.size() ? static_cast<unsigned char>(text[k]) : 0u;
  };
  const unsigned lead = at(i);
  if (lead < 0x80) return 1;
  unsigned low = 0x80, high = 0xbf;
  int length;
  if (lead >= 0xc2 && lead <= 0xdf)
    length = 2;
  else if (lead >= 0xe0 && lead <= 0xef)
    length = 3;
  else if (lead >= 0xf0 && lead <= 0xf4)
    length = 4;
  else
    return -1;
  if (lead == 0xe0) low = 0xa0;
  if (lead == 0xed) high = 0x9f;
  if (lead == 0xf0) low = 0x90;
  if (lead == 0xf4) high = 0x8f;
  for (int k = 1; k < length; ++k) {
    const unsigned byte = at(i + static_cast<std::size_t>(k));
    if (byte < low || byte > high) return -k;
    low = 0x80;
    high = 0xbf;
  }
  return length;
}

}  // namespace

bool is_valid_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    if (i + 8 <= text.size()) {
      std::uint64_t word;
      std::memcpy(&word, text.data() + i, 8);
      if ((word & 0x8080808080808080u) == 0) {
        i += 8;
        continue;
      }
    }
    const int length = sequence_length(text, i);
    if (length < 0) return false;
    i += static_cast<std::size_t>(length);
  }
  return true;
}

std::string replace_invalid_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size() + 16);
  for (std::size_t i = 0; i < text.size();) {
    const int length = sequence_length(text, i);
    const auto size = static_cast<std::size_t>(length < 0 ? -length : length);
    if (length < 0)
      out += "\xef\xbf\xbd";
    else
      out.append(text.substr(i, size));
    i += size;
  }
  return out;
}

}  // namespace octavo::tokenizer
