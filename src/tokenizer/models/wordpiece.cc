#include "tokenizer/models/wordpiece.h"

#include <bit>
#include <cstring>

#include "tokenizer/models/models.h"
#include "tokenizer/unicode.h"

namespace octavo::tokenizer {

WordPiece::WordPiece(TokenTable vocab, WordPieceOptions options, const std::string& file)
    : options_(std::move(options)) {
  vocab_ = std::move(vocab);
  unk_id_ = vocab_.find(options_.unk_token);
  if (unk_id_ < 0) {
    throw Error(ErrorCode::kInvalidFile,
                {.message = "the vocabulary lacks the token for unknown words",
                 .file = file,
                 .place = "model.unk_token",
                 .expected = "'" + options_.unk_token + "' in the vocabulary",
                 .found = std::to_string(vocab_.size()) + " tokens without it",
                 .fix = "add the token, or name another one"});
  }
  whole_.slots.resize(std::bit_ceil(vocab_.size() * 2 + 2));
  whole_.mask = whole_.slots.size() - 1;
  vocab_.for_each([&](std::string_view token, std::int32_t id) {
    trie_.insert(token, id);
    if (token.empty() || token.size() > 16 || token.find('\0') != std::string_view::npos) return;
    std::uint64_t key[2] = {};
    std::memcpy(key, token.data(), token.size());
    std::uint64_t at = hash(key[0], key[1]) & whole_.mask;
    while (whole_.slots[at].id >= 0) at = (at + 1) & whole_.mask;
    whole_.slots[at] = {key[0], key[1], id};
  });
  continuation_root_ = ByteTrie::kRoot;
  for (const char c : options_.prefix) {
    continuation_root_ = trie_.step(continuation_root_, static_cast<unsigned char>(c));
    if (continuation_root_ == ByteTrie::kNone) break;
  }
}

void WordPiece::encode(std::string_view word, std::vector<std::int32_t>& ids) const {
  if (word.size() > options_.max_input_chars_per_word &&
      count_code_points(word) > options_.max_input_chars_per_word) {
    ids.push_back(unk_id_);
    return;
  }
  encode_pieces(word, ids);
}

void WordPiece::encode_pieces(std::string_view word, std::vector<std::int32_t>& ids) const {
  const std::size_t before = ids.size();
  std::int32_t root = ByteTrie::kRoot;
  while (!word.empty()) {
    std::size_t size = 0;
    const std::int32_t id =
        root == ByteTrie::kNone ? ByteTrie::kNone : trie_.longest(root, word, size);
    if (id == ByteTrie::kNone) {
      ids.resize(before);
      ids.push_back(unk_id_);
      return;
    }
    ids.push_back(id);
    word.remove_prefix(size);
    root = continuation_root_;
  }
}

std::unique_ptr<Model> make_wordpiece(JsonValue json) {
  WordPieceOptions options;
  options.unk_token = json.string_or("unk_token", "[UNK]");
  options.prefix = json.string_or("continuing_subword_prefix", "##");
  const std::int64_t limit = json.int_or("max_input_chars_per_word", 100);
  if (limit < 1 || limit > 1'000'000) {
    json.at("max_input_chars_per_word").fail("out of range", "1 to 1000000", std::to_string(limit));
  }
  options.max_input_chars_per_word = static_cast<std::size_t>(limit);
  TokenTable vocab;
  read_vocab(json.at("vocab"), vocab);
  return std::make_unique<WordPiece>(std::move(vocab), std::move(options), json.file());
}

}  // namespace octavo::tokenizer
