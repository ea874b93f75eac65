// The list of models, and reading their vocabularies.
#include "tokenizer/models/models.h"

namespace octavo::tokenizer {
namespace {

constexpr Factory<Model> kModels[] = {
    {"WordPiece", make_wordpiece},
    {"BPE", make_bpe},
    {"Unigram", make_unigram},
    {"WordLevel", make_wordlevel},
};

}  // namespace

std::unique_ptr<Model> make_model(JsonValue json) {
  if (json.is_object() && !json.get("type")) {  // files older than the key "type"
    if (json.get("merges")) return make_bpe(json);
    if (json.get("continuing_subword_prefix")) return make_wordpiece(json);
    if (json.get("unk_id")) return make_unigram(json);
  }
  return make_by_type<Model>(json, "model", kModels);
}

std::int64_t id_limit(std::size_t entries) {
  return static_cast<std::int64_t>(4 * entries + 65536);
}

void read_vocab(JsonValue json, TokenTable& table) {
  if (!json.is_object())
    json.fail("the vocabulary is not an object", "an object of tokens and their ids");
  const std::size_t entries = json.size();
  if (entries == 0) json.fail("the vocabulary is empty", "at least one token");
  std::size_t bytes = 0;
  for (const auto [token, id] : json.members()) bytes += token.size();
  if (bytes > 0xf0000000u) json.fail("the vocabulary is larger than 4 GB");
  table.reserve(entries, bytes);
  const std::int64_t limit = id_limit(entries);
  for (const auto [token, value] : json.members()) {
    const std::int64_t id = value.as_int();
    if (id < 0 || id > limit) {
      value.fail("a token's id is out of range",
                 "0 to " + std::to_string(limit) + " for " + std::to_string(entries) + " tokens",
                 std::to_string(id));
    }
    if (table.has_id(static_cast<std::int32_t>(id))) {
      value.fail("two tokens have the same id", "an id of its own for each token",
                 std::to_string(id) + ", which is '" +
                     std::string(table.token(static_cast<std::int32_t>(id))) + "'");
    }
    table.insert(token, static_cast<std::int32_t>(id));
  }
}

}  // namespace octavo::tokenizer
