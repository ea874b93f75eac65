// Unigram (SentencePiece): the segmentation with the highest sum of scores, found from the left
// (Viterbi); runs of unknown characters become one token. Time is linear in the text, times the
// length of the longest token.
#include <algorithm>
#include <array>
#include <limits>

#include "tokenizer/byte_trie.h"
#include "tokenizer/models/models.h"

namespace octavo::tokenizer {
namespace {

constexpr double kUnknownPenalty = 10.0;

class Unigram : public Model {
 public:
  explicit Unigram(JsonValue json) {
    const JsonValue vocab = json.at("vocab");
    if (!vocab.is_array())
      vocab.fail("the vocabulary is not an array", "an array of [token, score]");
    tokens_ = vocab.size();
    if (tokens_ == 0) vocab.fail("the vocabulary is empty", "at least one token");
    if (tokens_ > 0x7ffffff0u) vocab.fail("the vocabulary has too many tokens");
    std::size_t bytes = 0;
    for (const JsonValue entry : vocab.elements()) {
      if (!entry.is_array() || entry.size() != 2) vocab.fail("an entry is not [token, score]");
      bytes += (*entry.elements().begin()).as_string().size();
    }
    if (bytes > 0xf0000000u) vocab.fail("the vocabulary is larger than 4 GB");
    vocab_.reserve(tokens_, bytes);
    scores_.reserve(tokens_);
    double lowest = std::numeric_limits<double>::infinity();
    for (const JsonValue entry : vocab.elements()) {
      auto it = entry.elements().begin();
      const std::string_view token = (*it).as_string();
      ++it;
      const auto id = static_cast<std::int32_t>(scores_.size());
      scores_.push_back((*it).as_double());
      lowest = std::min(lowest, scores_.back());
      vocab_.insert(token, id);
      if (!token.empty()) trie_.insert(token, id);
    }
    unknown_score_ = lowest - kUnknownPenalty;
    if (const auto unk = json.get("unk_id")) {
      const std::int64_t id = unk->as_int();
      if (id < 0 || id >= static_cast<std::int64_t>(tokens_)) {
        unk->fail("unk_id is not in the vocabulary", "0 to " + std::to_string(tokens_ - 1),
                  std::to_string(id));
      }
      unk_id_ = static_cast<std::int32_t>(id);
    }
    if (json.bool_or("byte_fallback", false)) read_bytes();
  }

  std::string_view kind() const override { return "Unigram"; }
  std::size_t size() const override { return tokens_; }

  void encode(std::string_view text, std::vector<std::int32_t>& ids) const override {
    std::array<Node, kFew> few;  // most words are short: only what is used is filled
    std::vector<Node> many;
    Node* best = few.data();
    if (text.size() < kFew) {
      std::fill_n(best, text.size() + 1, kUnreached);
    } else {
      many.assign(text.size() + 1, kUnreached);
      best = many.data();
    }
    for (std::size_t at = 0; at < text.size();) {
      const double here = best[at].score;
      const auto lead = static_cast<unsigned char>(text[at]);
      const std::size_t width = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
      const auto offer = [&](std::size_t end, double score, std::int32_t id) {
        Node& node = best[end];
        if (node.start == kNever || score > node.score)
          node = {score, static_cast<std::uint32_t>(at), id};
      };
      bool single = false;
      std::int32_t node = ByteTrie::kRoot;
      for (std::size_t i = at; i < text.size();) {
        node = trie_.step(node, static_cast<unsigned char>(text[i++]));
        if (node == ByteTrie::kNone) break;
        const std::int32_t id = trie_.value(node);
        if (id == ByteTrie::kNone) continue;
        offer(i, scores_[static_cast<std::size_t>(id)] + here, id);
        single |= i - at == width;
      }
      if (!single) {
        if (unk_id_ < 0) fail_unknown(text.substr(at, width));
        offer(at + width, unknown_score_ + here, unk_id_);
      }
      at += width;
    }
    // From the right: tokens, runs of unknowns joined.
    const std::size_t before = ids.size();
    for (std::size_t end = text.size(); end > 0;) {
      std::size_t start = best[end].start;
      const std::int32_t id = best[end].id;
      if (id != unk_id_) {
        ids.push_back(id);
      } else {
        while (start > 0 && best[start].id == unk_id_) start = best[start].start;
        push_unknown(text.substr(start, end - start), ids);
      }
      end = start;
    }
    std::reverse(ids.begin() + static_cast<std::ptrdiff_t>(before), ids.end());
  }

 private:
  static constexpr std::uint32_t kNever = 0xffffffff;
  static constexpr std::size_t kFew = 128;  // bytes of a word whose lattice lies on the stack
  struct Node {
    double score;  // of the best path that ends here
    std::uint32_t start;
    std::int32_t id;
  };
  static constexpr Node kUnreached{0, kNever, 0};

  // Appends in reverse order.
  void push_unknown(std::string_view text, std::vector<std::int32_t>& ids) const {
    const std::int32_t id = vocab_.find(text);
    if (id >= 0) {
      ids.push_back(id);
      return;
    }
    if (!bytes_.empty() &&
        std::all_of(text.begin(), text.end(), [&](char c) { return byte_id(c) >= 0; })) {
      for (auto c = text.rbegin(); c != text.rend(); ++c) ids.push_back(byte_id(*c));
      return;
    }
    ids.push_back(unk_id_);
  }
  std::int32_t byte_id(char c) const { return bytes_[static_cast<unsigned char>(c)]; }
  void read_bytes() {
    constexpr char kHex[] = "0123456789ABCDEF";
    for (int b = 0; b < 256; ++b)
      bytes_.push_back(vocab_.find({"<0x" + std::string{kHex[b >> 4], kHex[b & 15]} + ">"}));
  }
  [[noreturn]] static void fail_unknown(std::string_view text) {
    throw Error(ErrorCode::kInvalidFile,
                {.message = "the text has an unknown character, and the model no unk_id",
                 .place = "model.unk_id",
                 .expected = "the id of the token for unknown characters",
                 .found = "'" + std::string(text) + "'",
                 .fix = "set unk_id"});
  }

  std::size_t tokens_ = 0;
  std::vector<double> scores_;
  ByteTrie trie_;
  double unknown_score_ = 0;
  std::int32_t unk_id_ = -1;
  std::vector<std::int32_t> bytes_;  // token of each byte, where byte_fallback is on
};

}  // namespace

std::unique_ptr<Model> make_unigram(JsonValue json) { return std::make_unique<Unigram>(json); }

}  // namespace octavo::tokenizer
