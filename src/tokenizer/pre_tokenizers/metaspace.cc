// Metaspace (SentencePiece): spaces become a visible character, which begins the pieces.
#include "tokenizer/pre_tokenizers/metaspace.h"

#include "tokenizer/pre_tokenizers/pre_tokenizers.h"
#include "tokenizer/unicode.h"

namespace octavo::tokenizer {
namespace {

class Metaspace : public PreTokenizer {
 public:
  explicit Metaspace(MetaspaceOptions options) : options_(std::move(options)) {}

  void apply(Pieces& pieces) const override {
    const std::string& mark = options_.replacement;
    Pieces out;
    out.limit = pieces.limit;
    out.text.reserve(pieces.text.size() + pieces.text.size() / 4);
    for (const Piece& piece : pieces.pieces) {
      const std::string_view text = pieces.view(piece);
      const bool marked = text.starts_with(' ') || text.starts_with(mark);
      const auto begin = static_cast<std::uint32_t>(out.text.size());
      Piece now{begin, begin, piece.at_start};
      const auto cut = [&] {
        now.end = static_cast<std::uint32_t>(out.text.size());
        if (now.begin < now.end) out.pieces.push_back(now);
        now = {now.end, now.end, false};
      };
      if (!marked && (options_.scheme == MetaspaceOptions::kAlways ||
                      (options_.scheme == MetaspaceOptions::kFirst && piece.at_start))) {
        out.text += mark;
      }
      for (std::size_t i = 0; i < text.size();) {
        const bool space = text[i] == ' ';
        if (space || (text[i] == mark[0] && text.substr(i).starts_with(mark))) {
          if (options_.split) cut();
          out.text += mark;
          i += space ? 1 : mark.size();
        } else {
          std::size_t next = i + 1;
          while (next < text.size() && text[next] != ' ' && text[next] != mark[0]) ++next;
          out.text += text.substr(i, next - i);
          i = next;
        }
      }
      cut();
    }
    pieces = std::move(out);
  }

 private:
  MetaspaceOptions options_;
};

}  // namespace

MetaspaceOptions read_metaspace(JsonValue json) {
  MetaspaceOptions options;
  append_utf8(options.replacement, one_character(json, "replacement"));
  const std::string scheme = json.string_or("prepend_scheme", "always");
  if (scheme == "always")
    options.scheme = MetaspaceOptions::kAlways;
  else if (scheme == "first")
    options.scheme = MetaspaceOptions::kFirst;
  else if (scheme == "never")
    options.scheme = MetaspaceOptions::kNever;
  else
    json.at("prepend_scheme")
        .fail("unknown prepend_scheme", "always, first or never", "'" + scheme + "'");
  if (!json.bool_or("add_prefix_space", true)) {
    if (options.scheme != MetaspaceOptions::kNever && json.get("prepend_scheme")) {
      json.at("add_prefix_space")
          .fail("add_prefix_space contradicts prepend_scheme", "true, or the scheme 'never'");
    }
    options.scheme = MetaspaceOptions::kNever;
  }
  options.split = json.bool_or("split", true);
  return options;
}

std::unique_ptr<PreTokenizer> make_metaspace(JsonValue json) {
  return std::make_unique<Metaspace>(read_metaspace(json));
}

}  // namespace octavo::tokenizer
