// Tokens that are cut out of the text before anything else sees it ("[MASK]", "<|im_start|>"), on
// top of the model's vocabulary.
#pragma once

#include <string>
#include <unordered_set>
#include <vector>

#include "tokenizer/byte_trie.h"
#include "tokenizer/component.h"

namespace octavo::tokenizer {

struct AddedToken {
  std::string content;
  bool single_word = false;  // only where no word character touches it
  bool lstrip = false;       // takes the white space on its left
  bool rstrip = false;
  bool normalized = true;  // looked for in the normalized text
  bool special = false;    // left out by decode
};

class AddedTokens {
 public:
  /// Gives every token its id: that of the model's vocabulary, else the next free one. `normalizer`
  /// may be null.
  void add(const std::vector<AddedToken>& tokens, const Model& model, const Normalizer* normalizer);

  /// A stretch of text: an added token's, or what lies between (id -1).
  struct Match {
    std::size_t begin, end;
    std::int32_t id;
  };
  /// All of `text` in order; `normalized` says which of the two sets to look for.
  void split(std::string_view text, bool normalized, std::vector<Match>& out) const;
  bool any(bool normalized) const { return !tries_[normalized ? 1 : 0].trie.empty(); }

  std::int32_t find(std::string_view content) const { return table_.find(content); }
  bool has_id(std::int32_t id) const { return table_.has_id(id); }
  std::string_view content(std::int32_t id) const { return table_.token(id); }
  /// What decode takes for the token: its normalized text where it is looked for in normalized
  /// text.
  std::string_view decoded(std::int32_t id) const;
  bool is_special(std::string_view content) const {
    return special_.count(std::string(content)) > 0;
  }
  std::int32_t id_bound() const { return table_.id_bound(); }
  /// Tokens that the model's vocabulary does not have.
  std::size_t extra() const { return extra_; }

 private:
  struct Set {
    ByteTrie trie;
    bool first_byte[256] = {};
  };
  TokenTable table_;
  std::vector<AddedToken> tokens_;  // by number, not by id
  std::vector<std::int32_t> number_of_id_;
  std::vector<std::string> normalized_;  // by number
  std::unordered_set<std::string> special_;
  Set tries_[2];  // values are ids
  std::size_t extra_ = 0;
};

/// Reads the key added_tokens.
std::vector<AddedToken> read_added_tokens(JsonValue json);

}  // namespace octavo::tokenizer
