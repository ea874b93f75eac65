// The five kinds of component that a tokenizer is made of, and the data that passes between them. A
// component is made by a factory from its JSON object and never changes afterwards; all methods are
// const and safe in several threads.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "tokenizer/regex.h"
#include "tokenizer/token_table.h"

namespace octavo::tokenizer {

/// How large what a tokenizer makes of `input` bytes may become: far more than any sensible one
/// needs, so that rules that multiply text end in an error.
constexpr std::size_t growth_limit(std::size_t input) {
  return (std::size_t{16} << 20) + 64 * input;
}
void check_growth(std::size_t size, std::size_t limit);

/// Text on its way through the normalizers.
struct Text {
  std::string text;      // valid UTF-8
  bool at_start = true;  // its first character stems from the first byte of the input
  std::size_t limit = growth_limit(0);  // bytes
};

class Normalizer {
 public:
  virtual ~Normalizer() = default;
  virtual void apply(Text& text) const = 0;
};

/// Text cut into pieces; pre-tokenizers cut finer, drop pieces and rewrite text.
struct Piece {
  std::uint32_t begin, end;
  bool at_start;  // begins at the first byte of the input
};
struct Pieces {
  std::string text;
  std::vector<Piece> pieces;
  std::size_t limit = growth_limit(0);  // bytes
  std::string_view view(const Piece& p) const {
    return std::string_view(text).substr(p.begin, p.end - p.begin);
  }
};

class PreTokenizer {
 public:
  virtual ~PreTokenizer() = default;
  virtual void apply(Pieces& pieces) const = 0;
};

class Model {
 public:
  virtual ~Model() = default;
  virtual std::string_view kind() const = 0;
  /// Appends the ids of one piece (not empty).
  virtual void encode(std::string_view piece, std::vector<std::int32_t>& ids) const = 0;
  const TokenTable& vocab() const { return vocab_; }
  /// Number of entries as the file counts them.
  virtual std::size_t size() const { return vocab_.size(); }
  virtual std::string id_to_token(std::int32_t id) const { return std::string(vocab_.token(id)); }

 protected:
  TokenTable vocab_;
};

/// The ids of one sequence with their type ids.
struct Part {
  std::vector<std::int32_t> ids, type_ids;
};

class PostProcessor {
 public:
  virtual ~PostProcessor() = default;
  /// How many special tokens it adds.
  virtual std::size_t added(bool pair) const = 0;
  /// `parts` holds one or two sequences, with type ids 0 and 1; afterwards, joined, they are the
  /// encoding.
  virtual void apply(std::vector<Part>& parts, bool add_special_tokens) const = 0;
  /// The highest id it may add; -1 for none.
  virtual std::int32_t highest_id() const { return -1; }
};

class Decoder {
 public:
  virtual ~Decoder() = default;
  virtual void apply(std::vector<std::string>& tokens) const = 0;
};

// Factories: one table a kind (normalizers.cc, pre_tokenizers.cc, post_processors.cc, decoders.cc,
// models.cc).
std::unique_ptr<Normalizer> make_normalizer(JsonValue json);
std::unique_ptr<PreTokenizer> make_pre_tokenizer(JsonValue json);
std::unique_ptr<PostProcessor> make_post_processor(JsonValue json);
std::unique_ptr<Decoder> make_decoder(JsonValue json);
std::unique_ptr<Model> make_model(JsonValue json);

// ---- shared by factories ----

/// One row of a factory table.
template <typename T>
struct Factory {
  std::string_view type;
  std::unique_ptr<T> (*make)(JsonValue json);
};

/// Finds json's "type" in `table` and makes the component; the error lists the known types.
template <typename T, std::size_t N>
std::unique_ptr<T> make_by_type(JsonValue json, std::string_view what,
                                const Factory<T> (&table)[N]) {
  if (!json.is_object()) json.fail("the " + std::string(what) + " is not an object");
  const std::string type(json.at("type").as_string());
  for (const auto& row : table) {
    if (row.type == type) {
      return with_frame([&] { return "reading the " + std::string(what) + " '" + type + "'"; },
                        [&] { return row.make(json); });
    }
  }
  std::string known;
  for (const auto& row : table) known += (known.empty() ? "" : ", ") + std::string(row.type);
  throw Error(ErrorCode::kUnsupported, {.message = "octavo does not know this " + std::string(what),
                                        .file = json.file(),
                                        .place = std::string(what) + ".type",
                                        .expected = "one of " + known,
                                        .found = "'" + type + "'",
                                        .fix = "use a tokenizer made of these components"});
}

/// A JSON string that must be one character.
char32_t one_character(JsonValue json, std::string_view key);
/// {"String": s} or {"Regex": s}.
std::shared_ptr<const Pattern> read_pattern(JsonValue json);

}  // namespace octavo::tokenizer
