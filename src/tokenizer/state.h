// What a Tokenizer holds, and how it is read.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "octavo/tokenizer.h"
#include "tokenizer/added_tokens.h"
#include "tokenizer/bert_fast.h"
#include "tokenizer/component.h"

namespace octavo {

struct Tokenizer::State {
  std::unique_ptr<tokenizer::Normalizer> normalizer;  // each but the model may be absent
  std::unique_ptr<tokenizer::PreTokenizer> pre_tokenizer;
  std::unique_ptr<tokenizer::PostProcessor> post_processor;
  std::unique_ptr<tokenizer::Decoder> decoder;
  std::unique_ptr<tokenizer::Model> model;
  tokenizer::AddedTokens added;
  std::unique_ptr<tokenizer::BertFastPath> bert;  // where the components are those of BERT
  std::optional<std::size_t> model_max_length, truncation_max_length;
  std::optional<std::int32_t> pad_id;

  /// Appends the ids of one sequence, without special tokens; may stop once there are more than
  /// `limit`.
  void encode(std::string_view text, std::size_t limit, std::vector<std::int32_t>& ids) const;
  std::int32_t find(std::string_view token) const;

 private:
  void encode_plain(std::string_view text, bool at_start, std::size_t limit,
                    std::vector<std::int32_t>& ids) const;
};

namespace tokenizer {

/// From the text of a tokenizer.json.
std::shared_ptr<Tokenizer::State> read_tokenizer_json(JsonDocument document);
/// From BERT's vocab.txt; `config` is the text of tokenizer_config.json or empty.
std::shared_ptr<Tokenizer::State> read_vocab_txt(std::string_view text, const std::string& file,
                                                 const std::optional<JsonDocument>& config);
/// Takes model_max_length and pad_token.
void read_tokenizer_config(const JsonDocument& config, Tokenizer::State& state);
/// What follows from the components once all are there.
void finish_state(Tokenizer::State& state);

}  // namespace tokenizer
}  // namespace octavo
