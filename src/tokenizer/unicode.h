// Unicode as the `tokenizers` package sees it: character properties, normalization forms, lower
// case, grapheme clusters and UTF-8. The tables are generated from that package
// (tests/tools/generate_unicode_tables.py), so ids do not depend on the version of a system
// library. Everything here is linear in the text.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace octavo::tokenizer {

/// The lowest four bits of a flag word are the grapheme class.
enum Flag : std::uint16_t {
  kGraphemeMask = 15,
  kOther = 1 << 4,        // control, format, private use (what BERT's clean_text removes)
  kSpace = 1 << 5,        // White_Space
  kNonspacing = 1 << 6,   // Mn
  kMark = 1 << 7,         // M
  kPunctuation = 1 << 8,  // P, and ASCII punctuation
  kNumeric = 1 << 9,      // N by the Rust standard library
  kWord = 1 << 10,        // \w
  kLetter = 1 << 11,      // \p{L} in patterns
  kNumber = 1 << 12,      // \p{N} in patterns
  kIncbLinker = 1 << 13,
  kIncbExtend = 1 << 14,
  kPatternSpace = 1 << 15,  // \s in patterns
};

/// A value for every code point: pages of 256, shared where equal to a constant.
template <typename T>
class CodePointMap {
 public:
  CodePointMap() : pages_(1) { index_.fill(0); }
  T operator[](char32_t c) const { return pages_[index_[c >> 8]][c & 255]; }
  /// Sets [first, last].
  void set(char32_t first, char32_t last, T value) {
    while (first <= last) {
      const char32_t page = first >> 8;
      if ((first & 255) == 0 && last - first >= 255) {
        index_[page] = constant(value);
        first += 256;
      } else {
        if (index_[page] == 0 || shared_[index_[page]]) {
          index_[page] = copy(index_[page]);
        }
        pages_[index_[page]][first & 255] = value;
        ++first;
      }
    }
  }

 private:
  std::uint16_t constant(T value) {
    if (value == T{}) return 0;
    auto [it, fresh] = constants_.try_emplace(value, static_cast<std::uint16_t>(pages_.size()));
    if (fresh) {
      pages_.emplace_back().fill(value);
      shared_.push_back(true);
    }
    return it->second;
  }
  std::uint16_t copy(std::uint16_t from) {
    const auto page = pages_[from];
    pages_.push_back(page);
    shared_.push_back(false);
    return static_cast<std::uint16_t>(pages_.size() - 1);
  }

  std::array<std::uint16_t, 0x1100> index_;
  std::vector<std::array<T, 256>> pages_;
  std::vector<bool> shared_{true};
  std::unordered_map<T, std::uint16_t> constants_;
};

class UnicodeTables {
 public:
  UnicodeTables();

  std::uint16_t flags(char32_t c) const { return flags_[c]; }
  bool is(char32_t c, std::uint16_t mask) const { return (flags_[c] & mask) != 0; }
  std::uint8_t combining_class(char32_t c) const { return classes_[c]; }
  /// Full canonical decomposition, full compatibility decomposition (where it differs from the
  /// canonical one), lower case; empty where the code point stays as it is. Hangul syllables are
  /// not in here.
  std::span<const char32_t> canonical(char32_t c) const { return mapping(canonical_[c]); }
  std::span<const char32_t> compatible(char32_t c) const { return mapping(compatible_[c]); }
  std::span<const char32_t> lower(char32_t c) const { return mapping(lower_[c]); }
  /// The primary composite of two code points (Hangul too); 0 when there is none.
  char32_t compose(char32_t first, char32_t second) const;

 private:
  std::span<const char32_t> mapping(std::uint16_t index) const {
    return {text_.data() + starts_[index], starts_[index + 1] - starts_[index]};
  }
  CodePointMap<std::uint16_t> flags_, canonical_, compatible_, lower_;
  CodePointMap<std::uint8_t> classes_;
  std::vector<std::uint32_t> starts_;
  std::vector<char32_t> text_;
  std::unordered_map<std::uint64_t, char32_t> composites_;
};

const UnicodeTables& unicode();

// UTF-8. `decode` wants valid text.
inline char32_t decode(const char*& p) {
  const auto b = [&](int i) { return static_cast<unsigned char>(p[i]); };
  const unsigned char lead = b(0);
  if (lead < 0x80) return static_cast<unsigned char>(*p++);
  char32_t c;
  if (lead < 0xe0) {
    c = char32_t{lead & 0x1fu} << 6 | (b(1) & 0x3fu);
    p += 2;
  } else if (lead < 0xf0) {
    c = char32_t{lead & 0x0fu} << 12 | char32_t{b(1) & 0x3fu} << 6 | (b(2) & 0x3fu);
    p += 3;
  } else {
    c = char32_t{lead & 0x07u} << 18 | char32_t{b(1) & 0x3fu} << 12 | char32_t{b(2) & 0x3fu} << 6 |
        (b(3) & 0x3fu);
    p += 4;
  }
  return c;
}
/// The last code point before `p`, which it moves back.
inline char32_t decode_back(const char*& p) {
  do --p;
  while ((static_cast<unsigned char>(*p) & 0xc0) == 0x80);
  const char* q = p;
  return decode(q);
}
void append_utf8(std::string& out, char32_t c);
std::size_t count_code_points(std::string_view text);
bool is_ascii(std::string_view text);
bool is_valid_utf8(std::string_view text);
/// Each maximal invalid part becomes U+FFFD (the Unicode Standard, 3.9).
std::string replace_invalid_utf8(std::string_view text);

enum class Form { kNfc, kNfd, kNfkc, kNfkd };
std::string normalize(std::string_view text, Form form);
std::string lowercase(std::string_view text);
/// Full canonical decomposition of one code point, Hangul included; `buffer` holds what it may
/// need.
std::span<const char32_t> decompose(char32_t c, const char32_t& self,
                                    std::array<char32_t, 3>& buffer);

/// Extended grapheme clusters (UAX 29), one after the other.
class GraphemeBreaker {
 public:
  /// Whether there is a boundary before `c`; feed every code point in order.
  bool boundary_before(char32_t c);

 private:
  int previous_ = -1;
  bool odd_regional_ = false;                // an odd number of regional indicators ends here
  bool pictograph_ = false;                  // ExtPict Extend*
  bool pictograph_zwj_ = false;              // ExtPict Extend* ZWJ
  bool consonant_ = false, linker_ = false;  // InCB=Consonant [Extend Linker]*, with a Linker
};

}  // namespace octavo::tokenizer
