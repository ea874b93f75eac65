// ByteLevel: cuts by GPT-2's expression and writes every byte as a printable character.
#include "tokenizer/byte_level.h"

#include "tokenizer/known_patterns.h"
#include "tokenizer/pre_tokenizers/pre_tokenizers.h"

namespace octavo::tokenizer {
namespace {

class ByteLevel : public PreTokenizer {
 public:
  ByteLevel(bool add_prefix_space, bool use_regex)
      : add_prefix_space_(add_prefix_space),
        pattern_(use_regex ? find_known_pattern(kGpt2Expression) : nullptr) {}

  void apply(Pieces& pieces) const override {
    if (add_prefix_space_) prepend_space(pieces);
    if (pattern_) cut_at_pattern(pieces, *pattern_, Behavior::kIsolated, false);
    Pieces out;
    out.limit = pieces.limit;
    out.text.reserve(pieces.text.size() + pieces.text.size() / 4);
    out.pieces.reserve(pieces.pieces.size());
    for (const Piece& piece : pieces.pieces) {
      const auto begin = static_cast<std::uint32_t>(out.text.size());
      append_byte_level(pieces.view(piece), out.text);
      out.pieces.push_back({begin, static_cast<std::uint32_t>(out.text.size()), piece.at_start});
    }
    pieces = std::move(out);
  }

 private:
  static void prepend_space(Pieces& pieces) {
    Pieces out;
    out.limit = pieces.limit;
    out.text.reserve(pieces.text.size() + pieces.pieces.size());
    for (const Piece& piece : pieces.pieces) {
      const auto begin = static_cast<std::uint32_t>(out.text.size());
      const std::string_view text = pieces.view(piece);
      if (!text.starts_with(' ')) out.text.push_back(' ');
      out.text += text;
      out.pieces.push_back({begin, static_cast<std::uint32_t>(out.text.size()), piece.at_start});
    }
    pieces = std::move(out);
  }

  bool add_prefix_space_;
  std::shared_ptr<const Pattern> pattern_;
};

}  // namespace

std::unique_ptr<PreTokenizer> make_byte_level_pre_tokenizer(JsonValue json) {
  return std::make_unique<ByteLevel>(json.bool_or("add_prefix_space", true),
                                     json.bool_or("use_regex", true));
}

}  // namespace octavo::tokenizer
