// One factory for each normalizer; normalizers.cc has the table.
#pragma once

#include "tokenizer/component.h"

namespace octavo::tokenizer {

std::unique_ptr<Normalizer> make_bert_normalizer(JsonValue json);
std::unique_ptr<Normalizer> make_nfc(JsonValue json);
std::unique_ptr<Normalizer> make_nfd(JsonValue json);
std::unique_ptr<Normalizer> make_nfkc(JsonValue json);
std::unique_ptr<Normalizer> make_nfkd(JsonValue json);
std::unique_ptr<Normalizer> make_lowercase(JsonValue json);
std::unique_ptr<Normalizer> make_strip_accents(JsonValue json);
std::unique_ptr<Normalizer> make_strip(JsonValue json);
std::unique_ptr<Normalizer> make_nmt(JsonValue json);
std::unique_ptr<Normalizer> make_replace(JsonValue json);
std::unique_ptr<Normalizer> make_prepend(JsonValue json);
std::unique_ptr<Normalizer> make_append(JsonValue json);
std::unique_ptr<Normalizer> make_precompiled(JsonValue json);
std::unique_ptr<Normalizer> make_byte_level_normalizer(JsonValue json);
std::unique_ptr<Normalizer> make_normalizer_sequence(JsonValue json);

}  // namespace octavo::tokenizer
