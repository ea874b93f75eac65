// BPE: characters (or, by byte_fallback, bytes) merged by rank. Covers byte-level BPE (GPT-2, Llama
// 3, Qwen), where the pre-tokenizer has written bytes as characters, and SentencePiece's BPE (Llama
// 2).
#include "tokenizer/models/bpe_merge.h"
#include "tokenizer/models/models.h"
#include "tokenizer/unicode.h"

namespace octavo::tokenizer {
namespace {

class Bpe : public Model {
 public:
  explicit Bpe(JsonValue json)
      : unk_token_(json.string_or("unk_token", "")),
        prefix_(json.string_or("continuing_subword_prefix", "")),
        suffix_(json.string_or("end_of_word_suffix", "")),
        file_(json.file()),
        has_unk_(json.get("unk_token").has_value()),
        fuse_unk_(json.bool_or("fuse_unk", false)),
        ignore_merges_(json.bool_or("ignore_merges", false)) {
    if (json.double_or("dropout", 0) != 0) {
      json.at("dropout").fail("dropout makes ids random, which octavo does not do", "null or 0");
    }
    read_vocab(json.at("vocab"), vocab_);
    read_merges(json.at("merges"));
    unk_id_ = has_unk_ ? vocab_.find(unk_token_) : -1;
    if (json.bool_or("byte_fallback", false)) {
      constexpr char kHex[] = "0123456789ABCDEF";
      for (int b = 0; b < 256; ++b)
        bytes_.push_back(vocab_.find({"<0x" + std::string{kHex[b >> 4], kHex[b & 15]} + ">"}));
    }
    std::string one;
    for (char32_t c = 0; c < kCommon; ++c) {
      one.clear();
      append_utf8(one, c);
      common_[c] = vocab_.find(one);
    }
  }

  std::string_view kind() const override { return "BPE"; }

  void encode(std::string_view word, std::vector<std::int32_t>& ids) const override {
    if (ignore_merges_) {
      if (const std::int32_t id = vocab_.find(word); id >= 0) {
        ids.push_back(id);
        return;
      }
    }
    std::vector<std::int32_t> symbols;
    symbols.reserve(word.size());
    bool unknown = false;  // an unknown token waits, so that the next can join it
    std::string decorated;
    for (const char *base = word.data(), *p = base, *end = base + word.size(); p < end;) {
      const char* begin = p;
      const char32_t c = decode(p);
      std::string_view text(begin, static_cast<std::size_t>(p - begin));
      std::int32_t id;
      const bool inner = !prefix_.empty() && begin != base, last = !suffix_.empty() && p == end;
      if (inner || last) {
        decorated = inner ? prefix_ : std::string();
        decorated += text;
        if (last) decorated += suffix_;
        text = decorated;
        id = vocab_.find(text);
      } else {
        id = c < kCommon ? common_[c] : vocab_.find(text);
      }
      if (id >= 0) {
        if (unknown) symbols.push_back(unk_id_);
        unknown = false;
        symbols.push_back(id);
        continue;
      }
      if (push_bytes(text, symbols)) continue;
      if (!has_unk_) continue;
      if (unk_id_ < 0) fail_unknown();
      if (unknown && !fuse_unk_) symbols.push_back(unk_id_);
      unknown = true;
    }
    if (unknown) symbols.push_back(unk_id_);
    merge_symbols(merges_, symbols);
    ids.insert(ids.end(), symbols.begin(), symbols.end());
  }

 private:
  static constexpr char32_t kCommon = 512;

  bool push_bytes(std::string_view text, std::vector<std::int32_t>& symbols) const {
    if (bytes_.empty()) return false;
    const std::size_t before = symbols.size();
    for (const char c : text) {
      const std::int32_t id = bytes_[static_cast<unsigned char>(c)];
      if (id < 0) {
        symbols.resize(before);
        return false;
      }
      symbols.push_back(id);
    }
    return true;
  }

  void read_merges(JsonValue json) {
    if (!json.is_array()) json.fail("merges is not an array", "an array of 'a b' or [a, b]");
    merges_.reserve(json.size());
    std::uint32_t rank = 0;
    std::string joined;
    for (const JsonValue entry : json.elements()) {
      std::string_view left, right;
      if (entry.is_string()) {
        const std::string_view line = entry.as_string();
        if (line.starts_with("#version")) continue;
        const auto space = line.find(' ');
        if (space == std::string_view::npos ||
            line.find(' ', space + 1) != std::string_view::npos) {
          json.fail("merge " + std::to_string(rank) + " is not two tokens", "'a b' with one space",
                    "'" + std::string(line.substr(0, 80)) + "'");
        }
        left = line.substr(0, space);
        right = line.substr(space + 1);
      } else {
        if (!entry.is_array() || entry.size() != 2) {
          json.fail("merge " + std::to_string(rank) + " is not two tokens", "'a b' or [a, b]");
        }
        auto it = entry.elements().begin();
        left = (*it).as_string();
        ++it;
        right = (*it).as_string();
      }
      if (right.size() < prefix_.size()) {
        json.fail("merge " + std::to_string(rank) +
                      ": the right token is shorter than continuing_subword_prefix",
                  "a token that begins with '" + prefix_ + "'", "'" + std::string(right) + "'");
      }
      joined.assign(left);
      joined += right.substr(prefix_.size());
      const std::int32_t a = token_of(json, rank, left), b = token_of(json, rank, right);
      merges_.insert(a, b, {rank, token_of(json, rank, joined)});
      ++rank;
    }
  }

  std::int32_t token_of(JsonValue json, std::uint32_t rank, std::string_view token) const {
    const std::int32_t id = vocab_.find(token);
    if (id < 0) {
      json.fail("merge " + std::to_string(rank) + " names a token that the vocabulary lacks",
                "every part and every result of a merge in the vocabulary",
                "'" + std::string(token.substr(0, 80)) + "'");
    }
    return id;
  }

  [[noreturn]] void fail_unknown() const {
    throw Error(ErrorCode::kInvalidFile,
                {.message = "the text has an unknown character, and the vocabulary no token for it",
                 .file = file_,
                 .place = "model.unk_token",
                 .expected = "'" + unk_token_ + "' in the vocabulary",
                 .found = std::to_string(vocab_.size()) + " tokens without it",
                 .fix = "add the token to the vocabulary"});
  }

  std::string unk_token_, prefix_, suffix_, file_;
  bool has_unk_, fuse_unk_, ignore_merges_;
  MergeTable merges_;
  std::int32_t unk_id_ = -1;
  std::vector<std::int32_t> bytes_;  // token of each byte, where byte_fallback is on
  std::int32_t common_[kCommon];     // token of each of the first characters
};

}  // namespace

std::unique_ptr<Model> make_bpe(JsonValue json) { return std::make_unique<Bpe>(json); }

}  // namespace octavo::tokenizer
