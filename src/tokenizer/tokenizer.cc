// The pipeline: added tokens, normalizer, pre-tokenizer, model, truncation, post-processor; and
// back.
#include "octavo/tokenizer.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

#include "tokenizer/state.h"
#include "tokenizer/token_table.h"
#include "tokenizer/unicode.h"

namespace octavo {

using tokenizer::AddedTokens;
using tokenizer::Part;

namespace {

constexpr std::size_t kLongestText = std::size_t{256} << 20;
constexpr std::size_t kNoLimit = SIZE_MAX;

// Words repeat, and a model looks at nothing but the word: the ids of a short one are copied from
// where it stood before.
class WordMemo {
 public:
  static constexpr std::size_t kFewWords = 32;  // of which none is worth remembering

  /// All words lie in `text` from one call to the next, and `ids` only grows.
  template <typename Encode>
  void encode(std::string_view word, std::vector<std::int32_t>& ids, Encode&& encode_word) {
    if (word.size() < 2 || word.size() > kLongest) return encode_word();
    Entry& entry = entries_[hash(word) >> (64 - kBits)];
    if (entry.word == word) {
      const std::size_t from = entry.begin, to = ids.size();
      ids.resize(to + entry.count);
      std::copy_n(ids.begin() + static_cast<std::ptrdiff_t>(from), entry.count,
                  ids.begin() + static_cast<std::ptrdiff_t>(to));
      return;
    }
    const std::size_t begin = ids.size();
    encode_word();
    entry = {word, begin, ids.size() - begin};
  }

 private:
  static constexpr std::size_t kLongest = 32;
  static constexpr int kBits = 8;
  struct Entry {
    std::string_view word;
    std::size_t begin = 0, count = 0;
  };
  static std::uint64_t hash(std::string_view word) {
    std::uint64_t out = word.size();
    for (std::size_t at = 0; at < word.size(); at += sizeof out) {
      std::uint64_t part = 0;
      std::memcpy(&part, word.data() + at, std::min(sizeof part, word.size() - at));
      out = tokenizer::mix64(out ^ part);
    }
    return out;
  }
  std::array<Entry, std::size_t{1} << kBits> entries_{};
};

}  // namespace

void Tokenizer::State::encode(std::string_view text, std::size_t limit,
                              std::vector<std::int32_t>& ids) const {
  if (text.size() > kLongestText) {
    throw Error(ErrorCode::kInvalidArgument,
                {.message = "the text is too long to tokenize",
                 .expected = "at most " + std::to_string(kLongestText) + " bytes",
                 .found = std::to_string(text.size()) + " bytes",
                 .fix = "split the text"});
  }
  std::string repaired;
  if (!tokenizer::is_valid_utf8(text)) {
    repaired = tokenizer::replace_invalid_utf8(text);
    text = repaired;
  }
  if (!added.any(false)) return encode_plain(text, true, limit, ids);
  std::vector<AddedTokens::Match> matches;
  added.split(text, false, matches);
  for (const AddedTokens::Match& match : matches) {
    if (ids.size() > limit) return;
    if (match.id >= 0) {
      ids.push_back(match.id);
    } else {
      encode_plain(text.substr(match.begin, match.end - match.begin), match.begin == 0, limit, ids);
    }
  }
}

void Tokenizer::State::encode_plain(std::string_view plain, bool at_start, std::size_t limit,
                                    std::vector<std::int32_t>& ids) const {
  if (bert &&
      bert->encode(plain, limit == kNoLimit ? limit : limit - std::min(limit, ids.size()), ids))
    return;
  tokenizer::Text text{std::string(plain), at_start, tokenizer::growth_limit(plain.size())};
  if (normalizer) normalizer->apply(text);
  if (text.text.empty()) return;
  std::vector<AddedTokens::Match> matches;
  added.split(text.text, true, matches);
  tokenizer::Pieces pieces;
  pieces.limit = text.limit;
  for (const AddedTokens::Match& match : matches) {
    if (ids.size() > limit) return;
    if (match.id >= 0) {
      ids.push_back(match.id);
      continue;
    }
    if (match.begin == match.end) continue;
    if (matches.size() == 1)
      pieces.text = std::move(text.text);
    else
      pieces.text.assign(text.text, match.begin, match.end - match.begin);
    pieces.pieces.assign(
        1, {0, static_cast<std::uint32_t>(pieces.text.size()), text.at_start && match.begin == 0});
    if (pre_tokenizer) pre_tokenizer->apply(pieces);
    std::optional<WordMemo> memo;
    if (pieces.pieces.size() > WordMemo::kFewWords) memo.emplace();
    for (const tokenizer::Piece& piece : pieces.pieces) {
      const std::string_view word = pieces.view(piece);
      const auto encode_word = [&] { model->encode(word, ids); };
      memo ? memo->encode(word, ids, encode_word) : encode_word();
      if (ids.size() > limit) return;
    }
  }
}

std::int32_t Tokenizer::State::find(std::string_view token) const {
  const std::int32_t id = added.find(token);
  return id >= 0 ? id : model->vocab().find(token);
}

namespace {

void cut(Part& part, std::size_t size, bool left) {
  if (part.ids.size() <= size) return;
  if (left)
    part.ids.erase(part.ids.begin(), part.ids.end() - static_cast<std::ptrdiff_t>(size));
  else
    part.ids.resize(size);
}

[[noreturn]] void fail_truncation(std::string message, const EncodeOptions& options) {
  throw Error(ErrorCode::kInvalidArgument,
              {.message = std::move(message),
               .found = "max_length " + std::to_string(options.max_length),
               .fix = "raise max_length or choose another truncation strategy"});
}

// `room` is for the sequences alone.
void truncate(std::vector<Part>& parts, std::size_t room, const EncodeOptions& options) {
  std::size_t total = 0;
  for (const Part& part : parts) total += part.ids.size();
  if (total <= room) return;
  const std::size_t excess = total - room;
  if (options.strategy == TruncationStrategy::kLongestFirst || room == 0) {
    if (parts.size() == 1 || room == 0) {
      for (Part& part : parts) cut(part, room, options.truncate_left);
      return;
    }
    // The longer one first, then both alike; an odd token goes to the longer one.
    Part* shorter = &parts[0];
    Part* longer = &parts[1];
    if (shorter->ids.size() > longer->ids.size()) std::swap(shorter, longer);
    std::size_t a = shorter->ids.size();
    std::size_t b = a > room ? a : std::max(a, room - a);
    if (a + b > room) {
      a = room / 2;
      b = a + room % 2;
    }
    cut(*shorter, a, options.truncate_left);
    cut(*longer, b, options.truncate_left);
    return;
  }
  const std::size_t which = options.strategy == TruncationStrategy::kOnlyFirst ? 0 : 1;
  if (which >= parts.size())
    fail_truncation("the second sequence is to be shortened, but there is only one", options);
  if (parts[which].ids.size() <= excess) {
    fail_truncation("the sequence that is to be shortened is too short for that", options);
  }
  cut(parts[which], parts[which].ids.size() - excess, options.truncate_left);
}

Encoding encode_parts(const Tokenizer::State& state, std::initializer_list<std::string_view> texts,
                      const EncodeOptions& options) {
  const bool pair = texts.size() > 1;
  const std::size_t special =
      options.add_special_tokens && state.post_processor ? state.post_processor->added(pair) : 0;
  if (options.max_length > 0 && options.max_length < special) {
    fail_truncation(
        "max_length leaves no room for the " + std::to_string(special) + " special tokens",
        options);
  }
  const std::size_t room = options.max_length > 0 ? options.max_length - special : kNoLimit;
  // Whatever goes beyond the room is cut off at the right anyway.
  const bool stop_early = !pair && !options.truncate_left &&
                          options.strategy != TruncationStrategy::kOnlySecond &&
                          (options.strategy == TruncationStrategy::kLongestFirst || room > 0);
  std::vector<Part> parts;
  for (const std::string_view text : texts) {
    parts.emplace_back().ids.reserve(std::min(text.size() / 4 + 8, room));
    state.encode(text, stop_early ? room : kNoLimit, parts.back().ids);
  }
  Encoding out;
  if (options.max_length > 0) {
    std::size_t before = 0, after = 0;
    for (const Part& part : parts) before += part.ids.size();
    truncate(parts, room, options);
    for (const Part& part : parts) after += part.ids.size();
    out.truncated = after < before;
  }
  for (std::size_t i = 0; i < parts.size(); ++i) {
    parts[i].type_ids.assign(parts[i].ids.size(), static_cast<std::int32_t>(i));
  }
  if (state.post_processor) state.post_processor->apply(parts, options.add_special_tokens);
  out.ids = std::move(parts[0].ids);
  out.type_ids = std::move(parts[0].type_ids);
  for (std::size_t i = 1; i < parts.size(); ++i) {
    out.ids.insert(out.ids.end(), parts[i].ids.begin(), parts[i].ids.end());
    out.type_ids.insert(out.type_ids.end(), parts[i].type_ids.begin(), parts[i].type_ids.end());
  }
  return out;
}

}  // namespace

Tokenizer::~Tokenizer() = default;

Encoding Tokenizer::encode(std::string_view text, const EncodeOptions& options) const {
  return encode_parts(*state_, {text}, options);
}

Encoding Tokenizer::encode_pair(std::string_view first, std::string_view second,
                                const EncodeOptions& options) const {
  return encode_parts(*state_, {first, second}, options);
}

std::string Tokenizer::decode(std::span<const std::int32_t> ids, bool skip_special_tokens) const {
  std::vector<std::string> tokens;
  tokens.reserve(ids.size());
  for (const std::int32_t id : ids) {
    std::string token;
    if (state_->added.has_id(id))
      token = std::string(state_->added.decoded(id));
    else if (state_->model->vocab().has_id(id))
      token = state_->model->id_to_token(id);
    else
      continue;
    if (skip_special_tokens && state_->added.is_special(token)) continue;
    tokens.push_back(std::move(token));
  }
  const std::string_view separator = state_->decoder ? "" : " ";
  if (state_->decoder && !tokens.empty()) state_->decoder->apply(tokens);
  std::string out;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (i > 0) out += separator;
    out += tokens[i];
  }
  return out;
}

std::size_t Tokenizer::vocab_size() const { return state_->model->size() + state_->added.extra(); }

std::optional<std::int32_t> Tokenizer::token_to_id(std::string_view token) const {
  const std::int32_t id = state_->find(token);
  return id < 0 ? std::nullopt : std::optional(id);
}

std::string Tokenizer::id_to_token(std::int32_t id) const {
  if (state_->added.has_id(id)) return std::string(state_->added.content(id));
  return state_->model->id_to_token(id);
}

std::size_t Tokenizer::special_tokens_added(bool pair) const {
  return state_->post_processor ? state_->post_processor->added(pair) : 0;
}

std::optional<std::size_t> Tokenizer::model_max_length() const { return state_->model_max_length; }
std::optional<std::size_t> Tokenizer::truncation_max_length() const {
  return state_->truncation_max_length;
}
std::optional<std::int32_t> Tokenizer::pad_id() const { return state_->pad_id; }
std::string Tokenizer::kind() const { return std::string(state_->model->kind()); }

}  // namespace octavo
