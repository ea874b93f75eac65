// Precompiled: the character map of a SentencePiece model. Format (sentencepiece, normalizer.cc): a
// little-endian u32 with the size in bytes of a Darts double array, the array, then the
// replacements, each ended by a zero byte. A unit of the array has its label in bits 0-7 and 31,
// whether it has a leaf in bit 8, its offset in bits 10-30 (shifted by 8 more where bit 9 is set);
// a leaf's unit holds the value, an offset into the replacements.
#include <cstring>
#include <limits>

#include "base/byte_reader.h"
#include "tokenizer/normalizers/normalizers.h"
#include "tokenizer/unicode.h"

namespace octavo::tokenizer {
namespace {

std::string decode_base64(JsonValue json, std::string_view text) {
  std::string out;
  std::uint32_t buffer = 0;
  int bits = 0;
  std::size_t padding = 0;
  for (const char c : text) {
    int value;
    if (c >= 'A' && c <= 'Z')
      value = c - 'A';
    else if (c >= 'a' && c <= 'z')
      value = c - 'a' + 26;
    else if (c >= '0' && c <= '9')
      value = c - '0' + 52;
    else if (c == '+')
      value = 62;
    else if (c == '/')
      value = 63;
    else if (c == '=' && padding < 2) {
      ++padding;
      continue;
    } else {
      json.fail("precompiled_charsmap is not base64",
                "letters, digits, '+', '/' and '=' at the end",
                "byte " + std::to_string(static_cast<unsigned char>(c)));
    }
    if (padding > 0) json.fail("precompiled_charsmap is not base64", "nothing after '='");
    buffer = buffer << 6 | static_cast<std::uint32_t>(value);
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      out.push_back(static_cast<char>(buffer >> bits & 255));
    }
  }
  if (text.size() % 4 != 0)
    json.fail("precompiled_charsmap is cut off", "a multiple of 4 characters of base64");
  return out;
}

class Precompiled : public Normalizer {
 public:
  explicit Precompiled(JsonValue json) {
    const JsonValue value = json.at("precompiled_charsmap");
    const std::string blob = decode_base64(value, value.as_string());
    ByteReader reader(std::as_bytes(std::span(blob)), value.file());
    const std::uint32_t size = reader.u32_le("precompiled_charsmap: size of the double array");
    if (size % 4 != 0 || size < 4) {
      value.fail("the double array of precompiled_charsmap has a strange size",
                 "a multiple of 4, not 0", std::to_string(size));
    }
    const auto bytes = reader.text(size, "precompiled_charsmap: double array");
    units_.resize(size / 4);
    std::memcpy(units_.data(), bytes.data(), size);
    replacements_ =
        std::string(reader.text(reader.remaining(), "precompiled_charsmap: replacements"));
    if (!is_valid_utf8(replacements_))
      value.fail("the replacements of precompiled_charsmap are not UTF-8");
    for (char32_t c = 0; c < 128; ++c) {
      const char byte = static_cast<char>(c);
      std::string_view unused;
      ascii_unchanged_[c] = !find({&byte, 1}, unused);
    }
  }

  void apply(Text& text) const override {
    const std::string& in = text.text;
    std::string out;
    out.reserve(in.size() + in.size() / 8);
    GraphemeBreaker breaker;
    const char *p = in.data(), *end = p + in.size(), *cluster = p;
    while (p < end) {
      const char* begin = p;
      // Between two ASCII characters (but CR and LF) there always is a boundary.
      if (begin != cluster && static_cast<unsigned char>(*begin) < 0x80 &&
          static_cast<unsigned char>(begin[-1]) < 0x80 && *begin != '\n') {
        breaker = {};
      }
      if (breaker.boundary_before(decode(p))) {
        add_cluster({cluster, static_cast<std::size_t>(begin - cluster)}, out);
        cluster = begin;
        check_growth(out.size(), text.limit);
      }
    }
    add_cluster({cluster, static_cast<std::size_t>(end - cluster)}, out);
    text.text = std::move(out);
  }

 private:
  static constexpr std::size_t kLongestMappedCluster = 5;

  // The replacement of the shortest prefix of `key` that has one.
  bool find(std::string_view key, std::string_view& replacement) const {
    std::size_t node = offset(units_[0]);
    for (const char c : key) {
      const auto byte = static_cast<unsigned char>(c);
      if (byte == 0) return false;
      node ^= byte;
      if (node >= units_.size() || (units_[node] & (1u << 31 | 0xffu)) != byte) return false;
      const bool leaf = units_[node] >> 8 & 1;
      node ^= offset(units_[node]);
      if (node >= units_.size()) return false;
      if (leaf) {
        const std::size_t at = units_[node] & 0x7fffffffu;
        if (at > replacements_.size()) return false;
        const std::size_t stop = replacements_.find('\0', at);
        replacement = std::string_view(replacements_)
                          .substr(at, stop == std::string::npos ? stop : stop - at);
        // Not into the middle of a character.
        return replacement.empty() || (static_cast<unsigned char>(replacement[0]) & 0xc0) != 0x80;
      }
    }
    return false;
  }
  static std::size_t offset(std::uint32_t unit) {
    return std::size_t{unit >> 10} << ((unit & (1u << 9)) >> 6);
  }

  void add_cluster(std::string_view cluster, std::string& out) const {
    if (cluster.empty()) return;
    if (cluster.size() == 1 && ascii_unchanged_[static_cast<unsigned char>(cluster[0]) & 127]) {
      out.push_back(cluster[0]);
      return;
    }
    std::string_view replacement;
    if (cluster.size() <= kLongestMappedCluster && find(cluster, replacement)) {
      out += replacement;
      return;
    }
    for (const char *p = cluster.data(), *end = p + cluster.size(); p < end;) {
      const char* begin = p;
      decode(p);
      const std::string_view one(begin, static_cast<std::size_t>(p - begin));
      out += find(one, replacement) ? replacement : one;
    }
  }

  std::vector<std::uint32_t> units_;
  std::string replacements_;
  bool ascii_unchanged_[128] = {};
};

}  // namespace

std::unique_ptr<Normalizer> make_precompiled(JsonValue json) {
  return std::make_unique<Precompiled>(json);
}

}  // namespace octavo::tokenizer
