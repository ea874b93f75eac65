// WordPiece (BERT): greedy longest match from the left; what follows the first piece of a word
// carries a prefix ("##").
#pragma once

#include "tokenizer/byte_trie.h"
#include "tokenizer/component.h"

namespace octavo::tokenizer {

struct WordPieceOptions {
  std::string unk_token = "[UNK]", prefix = "##";
  std::size_t max_input_chars_per_word = 100;
};

class WordPiece : public Model {
 public:
  /// Throws when `vocab` has no unk_token; `file` is for the message.
  WordPiece(TokenTable vocab, WordPieceOptions options, const std::string& file);

  std::string_view kind() const override { return "WordPiece"; }
  void encode(std::string_view word, std::vector<std::int32_t>& ids) const override;

  const WordPieceOptions& options() const { return options_; }
  std::int32_t unk_id() const { return unk_id_; }
  /// As encode(), for a word that is known to be within max_input_chars_per_word and that lies in a
  /// buffer with at least 16 bytes to read from its start, zeros after its end.
  void encode_short(const char* word, std::size_t size, std::vector<std::int32_t>& ids) const {
    if (size <= 16) {
      std::uint64_t key[2];
      __builtin_memcpy(key, word, 16);
      const std::int32_t id = find_short(whole_, key[0], key[1]);
      if (id >= 0) {
        ids.push_back(id);
        return;
      }
    }
    encode_pieces({word, size}, ids);
  }

 private:
  // Tokens of up to 16 bytes without a zero byte, by their bytes.
  struct ShortTable {
    struct Slot {
      std::uint64_t low = 0, high = 0;
      std::int32_t id = -1;
    };
    std::vector<Slot> slots;
    std::uint64_t mask = 0;
  };
  static std::uint64_t hash(std::uint64_t low, std::uint64_t high) {
    std::uint64_t h = (low ^ high * 0xa0761d6478bd642fu) * 0x9e3779b97f4a7c15u;
    return h ^ h >> 29;
  }
  static std::int32_t find_short(const ShortTable& table, std::uint64_t low, std::uint64_t high) {
    for (std::uint64_t at = hash(low, high) & table.mask;; at = (at + 1) & table.mask) {
      const ShortTable::Slot& slot = table.slots[at];
      if (slot.low == low && slot.high == high) return slot.id;
      if (slot.id < 0) return -1;
    }
  }
  void encode_pieces(std::string_view word, std::vector<std::int32_t>& ids) const;

  WordPieceOptions options_;
  std::int32_t unk_id_;
  ByteTrie trie_;
  std::int32_t continuation_root_;  // the node after the prefix; kNone when no token has it
  ShortTable whole_;
};

}  // namespace octavo::tokenizer
