// The pre-tokenizers that cut by the class of a character: BertPreTokenizer, Whitespace,
// WhitespaceSplit, Punctuation, Digits, CharDelimiterSplit.
#include "tokenizer/pre_tokenizers/bert.h"
#include "tokenizer/pre_tokenizers/pre_tokenizers.h"

namespace octavo::tokenizer {
namespace {

template <typename IsMatch>
class CharacterSplit : public PreTokenizer {
 public:
  CharacterSplit(Behavior behavior, IsMatch is_match) : behavior_(behavior), is_match_(is_match) {}
  void apply(Pieces& pieces) const override { cut_at_characters(pieces, behavior_, is_match_); }

 private:
  Behavior behavior_;
  IsMatch is_match_;
};

template <typename IsMatch>
std::unique_ptr<PreTokenizer> split_at(Behavior behavior, IsMatch is_match) {
  return std::make_unique<CharacterSplit<IsMatch>>(behavior, is_match);
}

// \w+|[^\w\s]+ kept, the rest dropped.
class Whitespace : public PreTokenizer {
 public:
  void apply(Pieces& pieces) const override {
    std::vector<Piece> out;
    for (const Piece& piece : pieces.pieces) {
      Cutter cutter(Behavior::kIsolated, piece, out);
      const std::string_view text = pieces.view(piece);
      const char *base = text.data(), *end = base + text.size(), *run = base;
      int kind = 0;  // 0 space, 1 word, 2 other
      for (const char* p = base; p < end;) {
        const char* begin = p;
        const std::uint16_t flags = unicode().flags(decode(p));
        const int now = flags & kWord ? 1 : flags & kSpace ? 0 : 2;
        if (now == kind) continue;
        if (kind != 0)
          cutter.add(static_cast<std::size_t>(run - base), static_cast<std::size_t>(begin - base),
                     true);
        run = begin;
        kind = now;
      }
      if (kind != 0) cutter.add(static_cast<std::size_t>(run - base), text.size(), true);
      cutter.finish();
    }
    pieces.pieces = std::move(out);
  }
};

bool is_space(char32_t c) { return unicode().is(c, kSpace); }

}  // namespace

void BertPreTokenizer::apply(Pieces& pieces) const {
  cut_at_characters(pieces, Behavior::kRemoved, is_space);
  cut_at_characters(pieces, Behavior::kIsolated,
                    [](char32_t c) { return unicode().is(c, kPunctuation); });
}

std::unique_ptr<PreTokenizer> make_bert_pre_tokenizer(JsonValue) {
  return std::make_unique<BertPreTokenizer>();
}
std::unique_ptr<PreTokenizer> make_whitespace(JsonValue) { return std::make_unique<Whitespace>(); }
std::unique_ptr<PreTokenizer> make_whitespace_split(JsonValue) {
  return split_at(Behavior::kRemoved, is_space);
}
std::unique_ptr<PreTokenizer> make_punctuation(JsonValue json) {
  const auto behavior = json.get("behavior");
  return split_at(behavior ? read_behavior(*behavior) : Behavior::kIsolated,
                  [](char32_t c) { return unicode().is(c, kPunctuation); });
}
std::unique_ptr<PreTokenizer> make_digits(JsonValue json) {
  return split_at(
      json.bool_or("individual_digits", false) ? Behavior::kIsolated : Behavior::kContiguous,
      [](char32_t c) { return unicode().is(c, kNumeric); });
}
std::unique_ptr<PreTokenizer> make_char_delimiter_split(JsonValue json) {
  const char32_t delimiter = one_character(json, "delimiter");
  return split_at(Behavior::kRemoved, [delimiter](char32_t c) { return c == delimiter; });
}

}  // namespace octavo::tokenizer
