#include "tokenizer/known_patterns.h"

#include <array>

#include "tokenizer/unicode.h"

namespace octavo::tokenizer {
namespace {

struct Rules {
  bool gpt2;           // words and numbers take a leading space; contractions in lower case only
  std::size_t digits;  // numbers are cut after so many digits (0: never)
};

enum Class : unsigned char { kSymbol, kL, kN, kS, kNewline };

class WordPattern : public Pattern {
 public:
  explicit WordPattern(Rules rules) : rules_(rules), tables_(unicode()) {
    for (char32_t c = 0; c < 128; ++c) ascii_[c] = classify(c);
  }

  // These expressions match at every position, so the match begins at `from`.
  bool find(std::string_view text, std::size_t from, std::size_t& begin,
            std::size_t& end) const override {
    if (from >= text.size()) return false;
    begin = from;
    const char* stop = text.data() + text.size();
    end = static_cast<std::size_t>(match(text.data() + from, stop) - text.data());
    return true;
  }

 private:
  Class classify(char32_t c) const {
    const std::uint16_t f = tables_.flags(c);
    if (c == '\n' || c == '\r') return kNewline;
    return f & kLetter ? kL : f & kNumber ? kN : f & kPatternSpace ? kS : kSymbol;
  }
  Class next(const char*& p) const {
    const auto b = static_cast<unsigned char>(*p);
    if (b < 128) {
      ++p;
      return ascii_[b];
    }
    return classify(decode(p));
  }
  // Skips characters of class `c`, at most `limit` of them.
  const char* skip(const char* p, const char* stop, Class c, std::size_t limit = SIZE_MAX) const {
    while (p < stop && limit-- > 0) {
      const char* q = p;
      if (next(q) != c) break;
      p = q;
    }
    return p;
  }

  const char* contraction(const char* p, const char* stop) const {
    const auto at = [&](int i) -> int {
      if (stop - p <= i) return 0;
      const char c = p[i];
      return !rules_.gpt2 && c >= 'A' && c <= 'Z' ? c + 32 : c;
    };
    if (at(0) != '\'') return nullptr;
    const int a = at(1), b = at(2);
    if (a == 's' || a == 't' || a == 'm' || a == 'd') return p + 2;
    if ((a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l')) return p + 3;
    // Without regard to case, the long s is an s.
    if (!rules_.gpt2 && stop - p >= 3 && p[1] == '\xc5' && p[2] == '\xbf') return p + 3;
    return nullptr;
  }

  const char* match(const char* p, const char* stop) const {
    if (*p == '\'') {
      if (const char* end = contraction(p, stop)) return end;
    }
    const char* q = p;
    const Class first = next(q);
    if (rules_.gpt2) {
      const char* r = q;
      const Class second = *p == ' ' && q < stop ? next(r) : first;
      const char* body = *p == ' ' && q < stop ? r : q;
      const Class kind = *p == ' ' ? (q < stop ? second : kS) : first;
      if (kind == kL || kind == kN || kind == kSymbol) return skip(body, stop, kind);
      return spaces(p, q, stop, true);
    }
    if (first == kL) return skip(q, stop, kL);
    if (first != kNewline && first != kN && q < stop) {
      const char* r = q;
      if (next(r) == kL) return skip(r, stop, kL);
    }
    if (first == kN) return skip(q, stop, kN, rules_.digits == 0 ? SIZE_MAX : rules_.digits - 1);
    const char* r = q;
    if (first == kSymbol || (*p == ' ' && q < stop && next(r) == kSymbol)) {
      return skip(skip(first == kSymbol ? q : r, stop, kSymbol), stop, kNewline);
    }
    return spaces(p, q, stop, false);
  }

  // \s*[\r\n]+ (not for GPT-2), \s+(?!\S), \s+
  const char* spaces(const char* p, const char* after_first, const char* stop, bool gpt2) const {
    const char *end = p, *last = p, *newline = nullptr;
    while (end < stop) {
      const char* q = end;
      const Class c = next(q);
      if (c != kS && c != kNewline) break;
      last = end;
      end = q;
      if (c == kNewline) newline = q;
    }
    if (!gpt2 && newline) return newline;
    if (end == stop || last == p) return end == p ? after_first : end;
    return last;
  }

  Rules rules_;
  const UnicodeTables& tables_;
  std::array<Class, 128> ascii_{};
};

struct Known {
  std::string_view expression;
  Rules rules;
};

constexpr Known kKnown[] = {
    {kGpt2Expression, {.gpt2 = true, .digits = 0}},
    // Llama 3
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     {.gpt2 = false, .digits = 3}},
    // Qwen 2
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     {.gpt2 = false, .digits = 1}},
    // cl100k_base, as published and as converted
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+)",
     {.gpt2 = false, .digits = 3}},
    {R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+)",
     {.gpt2 = false, .digits = 3}},
};

}  // namespace

std::shared_ptr<const Pattern> find_known_pattern(std::string_view expression) {
  for (const Known& known : kKnown) {
    if (known.expression == expression) return std::make_shared<WordPattern>(known.rules);
  }
  return nullptr;
}

}  // namespace octavo::tokenizer
