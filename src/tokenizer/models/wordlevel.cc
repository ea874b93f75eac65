// WordLevel: a piece is a token or unknown.
#include "tokenizer/models/models.h"

namespace octavo::tokenizer {
namespace {

class WordLevel : public Model {
 public:
  WordLevel(TokenTable vocab, const std::string& unk) {
    vocab_ = std::move(vocab);
    unk_id_ = vocab_.find(unk);
  }
  std::string_view kind() const override { return "WordLevel"; }
  void encode(std::string_view piece, std::vector<std::int32_t>& ids) const override {
    std::int32_t id = vocab_.find(piece);
    if (id < 0) id = unk_id_;
    if (id < 0) {
      throw Error(ErrorCode::kInvalidFile,
                  {.message = "the text has an unknown word, and the vocabulary no token for it",
                   .place = "model.unk_token",
                   .expected = "a token for unknown words in the vocabulary",
                   .found = "'" + std::string(piece.substr(0, 40)) + "'",
                   .fix = "name an unk_token that the vocabulary has"});
    }
    ids.push_back(id);
  }

 private:
  std::int32_t unk_id_;
};

}  // namespace

std::unique_ptr<Model> make_wordlevel(JsonValue json) {
  TokenTable vocab;
  read_vocab(json.at("vocab"), vocab);
  return std::make_unique<WordLevel>(std::move(vocab), json.string_or("unk_token", "<unk>"));
}

}  // namespace octavo::tokenizer
