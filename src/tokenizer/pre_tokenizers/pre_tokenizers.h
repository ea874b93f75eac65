// One factory for each pre-tokenizer; pre_tokenizers.cc has the table. And the ways to cut at a
// match.
#pragma once

#include <optional>

#include "tokenizer/component.h"
#include "tokenizer/unicode.h"

namespace octavo::tokenizer {

std::unique_ptr<PreTokenizer> make_bert_pre_tokenizer(JsonValue json);
std::unique_ptr<PreTokenizer> make_whitespace(JsonValue json);
std::unique_ptr<PreTokenizer> make_whitespace_split(JsonValue json);
std::unique_ptr<PreTokenizer> make_punctuation(JsonValue json);
std::unique_ptr<PreTokenizer> make_digits(JsonValue json);
std::unique_ptr<PreTokenizer> make_char_delimiter_split(JsonValue json);
std::unique_ptr<PreTokenizer> make_split(JsonValue json);
std::unique_ptr<PreTokenizer> make_metaspace(JsonValue json);
std::unique_ptr<PreTokenizer> make_byte_level_pre_tokenizer(JsonValue json);
std::unique_ptr<PreTokenizer> make_pre_tokenizer_sequence(JsonValue json);

/// What becomes of the text that matched: removed, a piece of its own, joined to the piece before
/// or after, or to neighboring matches.
enum class Behavior { kRemoved, kIsolated, kMergedWithPrevious, kMergedWithNext, kContiguous };
Behavior read_behavior(JsonValue json);

/// Collects pieces from matches given in order.
class Cutter {
 public:
  Cutter(Behavior behavior, const Piece& parent, std::vector<Piece>& out)
      : behavior_(behavior), parent_(parent), out_(out) {}
  /// Offsets within the parent.
  void add(std::size_t begin, std::size_t end, bool match);
  void finish() { flush(); }

 private:
  void start(std::size_t begin, std::size_t end) {
    flush();
    begin_ = begin;
    end_ = end;
    open_ = true;
  }
  void flush();

  Behavior behavior_;
  Piece parent_;
  std::vector<Piece>& out_;
  std::size_t begin_ = 0, end_ = 0;
  bool open_ = false, previous_match_ = false;
};

/// Cuts every piece at the characters for which `is_match(code point)` holds.
template <typename IsMatch>
void cut_at_characters(Pieces& pieces, Behavior behavior, IsMatch&& is_match) {
  std::vector<Piece> out;
  out.reserve(pieces.pieces.size() * 2);
  for (const Piece& piece : pieces.pieces) {
    Cutter cutter(behavior, piece, out);
    const std::string_view text = pieces.view(piece);
    const char *base = text.data(), *p = base, *end = base + text.size(), *rest = base;
    while (p < end) {
      const char* begin = p;
      if (!is_match(decode(p))) continue;
      if (rest < begin)
        cutter.add(static_cast<std::size_t>(rest - base), static_cast<std::size_t>(begin - base),
                   false);
      cutter.add(static_cast<std::size_t>(begin - base), static_cast<std::size_t>(p - base), true);
      rest = p;
    }
    if (rest < end)
      cutter.add(static_cast<std::size_t>(rest - base), static_cast<std::size_t>(end - base),
                 false);
    cutter.finish();
  }
  pieces.pieces = std::move(out);
}

/// Cuts every piece at the matches of a pattern; `invert` takes what lies between for the matches.
void cut_at_pattern(Pieces& pieces, const Pattern& pattern, Behavior behavior, bool invert);

}  // namespace octavo::tokenizer
