#include "tokenizer/bert_fast.h"

#include <algorithm>
#include <cstring>

#include "tokenizer/unicode.h"

namespace octavo::tokenizer {

// The word that is being read, in a buffer that stays on the stack for ordinary words.
class BertFastPath::Word {
 public:
  explicit Word(const WordPiece& model)
      : model_(model), limit_(model.options().max_input_chars_per_word) {}

  void push(char c) {
    if (size_ + 1 >= capacity_) grow();
    data_[size_++] = c;
    ++points_;
  }
  void push(char32_t c) {
    if (c < 0x80) return push(static_cast<char>(c));
    scratch_.clear();
    append_utf8(scratch_, c);
    if (size_ + 4 >= capacity_) grow();
    std::memcpy(data_ + size_, scratch_.data(), scratch_.size());
    size_ += scratch_.size();
    ++points_;
  }
  void flush(std::vector<std::int32_t>& ids) {
    if (size_ == 0) return;
    if (points_ > limit_) {
      ids.push_back(model_.unk_id());
    } else {
      if (size_ < 16) std::memset(data_ + size_, 0, 16 - size_);
      model_.encode_short(data_, size_, ids);
    }
    size_ = points_ = 0;
  }

 private:
  void grow() {
    heap_.resize(capacity_ * 2);
    if (data_ == local_) std::memcpy(heap_.data(), local_, size_);
    data_ = heap_.data();
    capacity_ *= 2;
  }

  const WordPiece& model_;
  std::size_t limit_, size_ = 0, points_ = 0, capacity_ = 256;
  char local_[256];
  std::vector<char> heap_;
  char* data_ = local_;
  std::string scratch_;
};

BertFastPath::BertFastPath(const BertOptions& options, const WordPiece& model)
    : options_(options), model_(model) {
  const UnicodeTables& tables = unicode();
  for (char32_t c = 0; c < 128; ++c) {
    const std::uint16_t flags = tables.flags(c);
    lower_[c] = static_cast<char>(options.lowercase && c >= 'A' && c <= 'Z' ? c + 32 : c);
    if (options.clean_text && is_bert_removed(c, flags))
      actions_[c] = kDrop;
    else if (flags & kSpace)
      actions_[c] = kBreak;
    else
      actions_[c] = flags & kPunctuation ? kAlone : kKeep;
  }
}

bool BertFastPath::encode(std::string_view text, std::size_t limit,
                          std::vector<std::int32_t>& ids) const {
  const std::size_t before = ids.size();
  if (limit != SIZE_MAX) limit += before;
  Word word(model_);
  for (const char *p = text.data(), *end = p + text.size(); p < end;) {
    const auto b = static_cast<unsigned char>(*p);
    if (b < 0x80) {
      ++p;
      switch (actions_[b]) {
        case kKeep: word.push(lower_[b]); break;
        case kBreak:
          word.flush(ids);
          if (ids.size() > limit) return true;
          break;
        case kAlone:
          word.flush(ids);
          word.push(lower_[b]);
          word.flush(ids);
          break;
        case kDrop: break;
      }
      continue;
    }
    if (!add_point(decode(p), word, ids)) {
      ids.resize(before);
      return false;
    }
    if (ids.size() > limit) return true;
  }
  word.flush(ids);
  return true;
}

bool BertFastPath::add_point(char32_t c, Word& word, std::vector<std::int32_t>& ids) const {
  const UnicodeTables& tables = unicode();
  if (options_.clean_text) {
    const std::uint16_t flags = tables.flags(c);
    if (is_bert_removed(c, flags)) return true;
    if (flags & kSpace) {
      word.flush(ids);
      return true;
    }
  }
  const bool apart = options_.handle_chinese_chars && is_bert_ideograph(c);
  if (apart) word.flush(ids);
  std::array<char32_t, 3> buffer;
  std::span<const char32_t> parts(&c, 1);
  if (options_.strip_accents) parts = decompose(c, c, buffer);
  for (const char32_t& part : parts) {
    if (options_.strip_accents) {
      if (tables.is(part, kNonspacing)) continue;
      if (tables.combining_class(part) != 0) return false;
    }
    std::span<const char32_t> lowered(&part, 1);
    char32_t ascii = 0;
    if (options_.lowercase) {
      if (part < 0x80) {
        ascii = static_cast<unsigned char>(lower_[part]);
        lowered = {&ascii, 1};
      } else if (const auto lower = tables.lower(part); !lower.empty()) {
        lowered = lower;
      }
    }
    for (const char32_t out : lowered) {
      const std::uint16_t flags = tables.flags(out);
      if (flags & kSpace) {
        word.flush(ids);
      } else if (flags & kPunctuation) {
        word.flush(ids);
        word.push(out);
        word.flush(ids);
      } else {
        word.push(out);
      }
    }
  }
  if (apart) word.flush(ids);
  return true;
}

}  // namespace octavo::tokenizer
