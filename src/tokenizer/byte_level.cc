#include "tokenizer/byte_level.h"

#include <array>
#include <cstdint>

#include "tokenizer/unicode.h"

namespace octavo::tokenizer {
namespace {

constexpr std::array<char16_t, 256> make_alphabet() {
  std::array<char16_t, 256> out{};
  char16_t next = 256;
  for (int b = 0; b < 256; ++b) {
    const bool printable = (b >= '!' && b <= '~') || (b >= 0xa1 && b <= 0xac) || b >= 0xae;
    out[static_cast<std::size_t>(b)] = printable ? static_cast<char16_t>(b) : next++;
  }
  return out;
}
constexpr auto kAlphabet = make_alphabet();

constexpr auto make_bytes() {
  std::array<std::int16_t, 512> out{};
  out.fill(-1);
  for (std::int16_t b = 0; b < 256; ++b) out[kAlphabet[static_cast<std::size_t>(b)]] = b;
  return out;
}
constexpr auto kBytes = make_bytes();

}  // namespace

char32_t byte_level_character(unsigned char byte) { return kAlphabet[byte]; }

void append_byte_level(std::string_view text, std::string& out) {
  out.reserve(out.size() + text.size() + text.size() / 4);
  for (const char c : text) {
    const char16_t mapped = kAlphabet[static_cast<unsigned char>(c)];
    if (mapped < 128)
      out.push_back(static_cast<char>(mapped));
    else
      append_utf8(out, mapped);
  }
}

bool byte_level_bytes(std::string_view token, std::string& out) {
  const std::size_t before = out.size();
  for (const char *p = token.data(), *end = p + token.size(); p < end;) {
    const char32_t c = decode(p);
    if (c >= kBytes.size() || kBytes[c] < 0) {
      out.resize(before);
      return false;
    }
    out.push_back(static_cast<char>(kBytes[c]));
  }
  return true;
}

}  // namespace octavo::tokenizer
