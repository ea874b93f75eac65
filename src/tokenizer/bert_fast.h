// BertNormalizer, BertPreTokenizer and WordPiece in one pass over the text, without intermediate
// strings.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "tokenizer/models/wordpiece.h"
#include "tokenizer/normalizers/bert.h"

namespace octavo::tokenizer {

class BertFastPath {
 public:
  BertFastPath(const BertOptions& options, const WordPiece& model);

  /// Appends the ids of `text` (valid UTF-8), the same as the three components give. Stops early
  /// once there are more than `limit` ids. False, with `ids` as before, where canonical ordering
  /// could matter: then use the components.
  bool encode(std::string_view text, std::size_t limit, std::vector<std::int32_t>& ids) const;

 private:
  enum Action : unsigned char { kDrop, kBreak, kAlone, kKeep };
  class Word;
  bool add_point(char32_t c, Word& word, std::vector<std::int32_t>& ids) const;

  BertOptions options_;
  const WordPiece& model_;
  Action actions_[128];
  char lower_[128];
};

}  // namespace octavo::tokenizer
