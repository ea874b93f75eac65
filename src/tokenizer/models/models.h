// One factory for each model; models.cc has the table. And how a vocabulary is read.
#pragma once

#include "tokenizer/component.h"

namespace octavo::tokenizer {

std::unique_ptr<Model> make_wordpiece(JsonValue json);
std::unique_ptr<Model> make_bpe(JsonValue json);
std::unique_ptr<Model> make_unigram(JsonValue json);
std::unique_ptr<Model> make_wordlevel(JsonValue json);

/// Reads {"token": id, ...}: ids distinct, not negative, and so dense that an array by id is no
/// larger than a few times the entries.
void read_vocab(JsonValue json, TokenTable& table);
/// The highest id that `entries` tokens may use.
std::int64_t id_limit(std::size_t entries);

}  // namespace octavo::tokenizer
