// Text to token ids and back: WordPiece, BPE, Unigram and WordLevel tokenizers as `tokenizer.json`
// (the file of the `tokenizers` package) or BERT's `vocab.txt` describe them; ids are those of that
// package.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace octavo {

struct Encoding {
  std::vector<std::int32_t> ids;       // special tokens included
  std::vector<std::int32_t> type_ids;  // as many as ids
  bool truncated = false;              // tokens were left out to keep within max_length
};

/// Which sequence of a pair gives way: the longer one, or always the first or the second.
enum class TruncationStrategy { kLongestFirst, kOnlyFirst, kOnlySecond };

struct EncodeOptions {
  bool add_special_tokens = true;
  std::size_t max_length = 0;  // in tokens, special tokens included; 0 means no limit
  TruncationStrategy strategy = TruncationStrategy::kLongestFirst;
  bool truncate_left = false;  // leave out tokens at the start rather than at the end
};

/// Immutable; all methods may be called from several threads at once. Invalid UTF-8 in the input
/// counts as U+FFFD.
class Tokenizer {
 public:
  /// `path`: a tokenizer.json, a vocab.txt, or a directory that holds one of them; a
  /// tokenizer_config.json beside it gives the maximum length and, for vocab.txt, the options of
  /// BERT's normalizer. Throws Error: kNotFound, kInvalidFile, kUnsupported (a component that
  /// octavo does not know).
  static Tokenizer load(const std::string& path);
  /// From the text of a tokenizer.json; `name` stands for the file in errors.
  static Tokenizer from_json(std::string_view json, const std::string& name = "tokenizer.json");

  Tokenizer(const Tokenizer&) = default;
  Tokenizer(Tokenizer&&) noexcept = default;
  Tokenizer& operator=(const Tokenizer&) = default;
  Tokenizer& operator=(Tokenizer&&) noexcept = default;
  ~Tokenizer();

  /// The truncation and padding that the file asks for are not applied; see
  /// truncation_max_length(). Throws Error(kInvalidArgument) where max_length leaves no room for
  /// the special tokens, or where the sequence that `strategy` names is too short to give way.
  Encoding encode(std::string_view text, const EncodeOptions& options = {}) const;
  Encoding encode_pair(std::string_view first, std::string_view second,
                       const EncodeOptions& options = {}) const;
  /// Ids that the vocabulary does not have are left out.
  std::string decode(std::span<const std::int32_t> ids, bool skip_special_tokens = true) const;

  /// Number of tokens, added ones included.
  std::size_t vocab_size() const;
  std::optional<std::int32_t> token_to_id(std::string_view token) const;
  std::string id_to_token(std::int32_t id) const;  // empty when there is none
  /// How many special tokens encode() adds.
  std::size_t special_tokens_added(bool pair) const;

  /// `model_max_length` of tokenizer_config.json, where it is a real limit.
  std::optional<std::size_t> model_max_length() const;
  /// `truncation.max_length` of tokenizer.json.
  std::optional<std::size_t> truncation_max_length() const;
  std::optional<std::int32_t> pad_id() const;
  /// "WordPiece", "BPE", "Unigram" or "WordLevel".
  std::string kind() const;

  struct State;  // internal

 private:
  explicit Tokenizer(std::shared_ptr<const State> state) : state_(std::move(state)) {}
  std::shared_ptr<const State> state_;
};

/// What Tokenizer::load() takes for a MODEL (a directory, a `.onnx` or a `.safetensors`): the
/// folder that holds its tokenizer.json or vocab.txt, or beside a bare `.onnx` the only file whose
/// name ends in "tokenizer.json". The path of a tokenizer is returned as it is. Throws kNotFound.
std::string find_tokenizer(const std::string& model);

}  // namespace octavo
