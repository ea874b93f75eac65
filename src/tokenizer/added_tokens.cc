#include "tokenizer/added_tokens.h"

#include <algorithm>

#include "tokenizer/models/models.h"
#include "tokenizer/unicode.h"

namespace octavo::tokenizer {

void AddedTokens::add(const std::vector<AddedToken>& tokens, const Model& model,
                      const Normalizer* normalizer) {
  auto next_id = static_cast<std::int32_t>(model.size());
  for (const AddedToken& token : tokens) {
    if (token.content.empty()) continue;
    std::int32_t id = table_.find(token.content);
    if (id < 0) id = model.vocab().find(token.content);
    if (id < 0) {
      id = next_id++;
      ++extra_;
    }
    std::string normalized = token.content;
    if (token.normalized && normalizer) {
      Text text{token.content, true, growth_limit(token.content.size())};
      normalizer->apply(text);
      normalized = std::move(text.text);
    }
    table_.insert(token.content, id);
    if (static_cast<std::size_t>(id) >= number_of_id_.size())
      number_of_id_.resize(static_cast<std::size_t>(id) + 1, -1);
    number_of_id_[static_cast<std::size_t>(id)] = static_cast<std::int32_t>(tokens_.size());
    tokens_.push_back(token);
    normalized_.push_back(std::move(normalized));
    if (token.special) special_.insert(token.content);
  }
  for (std::size_t id = 0; id < number_of_id_.size(); ++id) {
    if (number_of_id_[id] < 0) continue;
    const auto number = static_cast<std::size_t>(number_of_id_[id]);
    const std::string& pattern =
        tokens_[number].normalized ? normalized_[number] : tokens_[number].content;
    if (pattern.empty()) continue;
    Set& set = tries_[tokens_[number].normalized ? 1 : 0];
    set.trie.insert(pattern, static_cast<std::int32_t>(id));
    set.first_byte[static_cast<unsigned char>(pattern[0])] = true;
  }
}

std::string_view AddedTokens::decoded(std::int32_t id) const {
  if (!has_id(id)) return {};
  const auto number = static_cast<std::size_t>(number_of_id_[static_cast<std::size_t>(id)]);
  return tokens_[number].normalized ? normalized_[number] : tokens_[number].content;
}

void AddedTokens::split(std::string_view text, bool normalized, std::vector<Match>& out) const {
  const Set& set = tries_[normalized ? 1 : 0];
  const UnicodeTables& tables = unicode();
  const char *base = text.data(), *end = base + text.size();
  std::size_t done = 0;
  if (!set.trie.empty()) {
    for (std::size_t at = 0; at < text.size();) {
      if (!set.first_byte[static_cast<unsigned char>(text[at])]) {
        ++at;
        continue;
      }
      std::size_t size = 0;
      const std::int32_t id = set.trie.longest(ByteTrie::kRoot, text.substr(at), size);
      if (id == ByteTrie::kNone) {
        ++at;
        continue;
      }
      const AddedToken& token =
          tokens_[static_cast<std::size_t>(number_of_id_[static_cast<std::size_t>(id)])];
      std::size_t start = at, stop = at + size;
      at = stop;
      if (token.single_word) {
        const char *before = base + start, *after = base + stop;
        if (before > base && tables.is(decode_back(before), kWord)) continue;
        if (after < end && tables.is(decode(after), kWord)) continue;
      }
      if (token.lstrip) {
        const char* p = base + start;
        while (p > base + done) {
          const char* q = p;
          if (!tables.is(decode_back(q), kSpace)) break;
          p = q;
        }
        start = std::max(done, static_cast<std::size_t>(p - base));
      }
      if (token.rstrip) {
        const char* p = base + stop;
        while (p < end) {
          const char* q = p;
          if (!tables.is(decode(q), kSpace)) break;
          p = q;
        }
        stop = static_cast<std::size_t>(p - base);
      }
      if (done < start) out.push_back({done, start, -1});
      out.push_back({start, stop, id});
      done = stop;
    }
  }
  if (done < text.size()) out.push_back({done, text.size(), -1});
}

std::vector<AddedToken> read_added_tokens(JsonValue json) {
  if (!json.is_array()) json.fail("added_tokens is not an array", "an array of objects");
  std::vector<AddedToken> out;
  out.reserve(json.size());
  for (const JsonValue entry : json.elements()) {
    if (!entry.is_object()) json.fail("an added token is not an object");
    AddedToken token;
    token.content = std::string(entry.at("content").as_string());
    const std::int64_t id = entry.at("id").as_int();
    if (id < 0 || id > 0x7fffffff) {
      entry.at("id").fail("an added token's id is out of range", "0 to 2147483647",
                          std::to_string(id) + " of '" + token.content.substr(0, 40) + "'");
    }
    token.single_word = entry.bool_or("single_word", false);
    token.lstrip = entry.bool_or("lstrip", false);
    token.rstrip = entry.bool_or("rstrip", false);
    token.special = entry.bool_or("special", false);
    token.normalized = entry.bool_or("normalized", !token.special);
    out.push_back(std::move(token));
  }
  return out;
}

}  // namespace octavo::tokenizer
