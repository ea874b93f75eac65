#include "tokenizer/normalizers/bert.h"

#include "tokenizer/normalizers/filter.h"
#include "tokenizer/normalizers/normalizers.h"

namespace octavo::tokenizer {

void BertNormalizer::apply(Text& text) const {
  const UnicodeTables& tables = unicode();
  if (options_.clean_text) {
    map_points(text, [&](char32_t c) -> char32_t {
      const std::uint16_t flags = tables.flags(c);
      if (is_bert_removed(c, flags)) return kRemoved;
      return flags & kSpace ? U' ' : c;
    });
  }
  if (options_.handle_chinese_chars && !is_ascii(text.text)) {
    std::string out;
    out.reserve(text.text.size() + text.text.size() / 2);
    for (const char *p = text.text.data(), *end = p + text.text.size(); p < end;) {
      const char* begin = p;
      const bool apart = is_bert_ideograph(decode(p));
      if (apart) out.push_back(' ');
      out.append(begin, p);
      if (apart) out.push_back(' ');
    }
    text.text = std::move(out);
  }
  if (options_.strip_accents && !is_ascii(text.text)) {
    text.text = normalize(text.text, Form::kNfd);
    map_points(text, [&](char32_t c) { return tables.is(c, kNonspacing) ? kRemoved : c; });
  }
  if (options_.lowercase) text.text = lowercase(text.text);
}

std::unique_ptr<Normalizer> make_bert_normalizer(JsonValue json) {
  BertOptions options;
  options.clean_text = json.bool_or("clean_text", true);
  options.handle_chinese_chars = json.bool_or("handle_chinese_chars", true);
  options.lowercase = json.bool_or("lowercase", true);
  options.strip_accents = json.bool_or("strip_accents", options.lowercase);
  return std::make_unique<BertNormalizer>(options);
}

}  // namespace octavo::tokenizer
