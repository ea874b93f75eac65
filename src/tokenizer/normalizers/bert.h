// BertNormalizer: clean_text, spaces around CJK ideographs, accents off, lower case; in this order.
#pragma once

#include "tokenizer/component.h"
#include "tokenizer/unicode.h"

namespace octavo::tokenizer {

struct BertOptions {
  bool clean_text = true, handle_chinese_chars = true, strip_accents = true, lowercase = true;
};

/// The ideographs that BERT sets apart (not the whole of any Unicode property).
constexpr bool is_bert_ideograph(char32_t c) {
  return (c >= 0x4e00 && c <= 0x9fff) || (c >= 0x3400 && c <= 0x4dbf) ||
         (c >= 0x20000 && c <= 0x2a6df) || (c >= 0x2a700 && c <= 0x2b73f) ||
         (c >= 0x2b740 && c <= 0x2b81f) || (c >= 0x2b920 && c <= 0x2ceaf) ||
         (c >= 0xf900 && c <= 0xfaff) || (c >= 0x2f800 && c <= 0x2fa1f);
}
/// What clean_text removes.
inline bool is_bert_removed(char32_t c, std::uint16_t flags) {
  return c == 0 || c == 0xfffd || ((flags & kOther) && c != '\t' && c != '\n' && c != '\r');
}

class BertNormalizer : public Normalizer {
 public:
  explicit BertNormalizer(BertOptions options) : options_(options) {}
  void apply(Text& text) const override;
  const BertOptions& options() const { return options_; }

 private:
  BertOptions options_;
};

}  // namespace octavo::tokenizer
