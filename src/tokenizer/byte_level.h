// The alphabet of byte-level BPE (GPT-2): every byte as one printable character.
#pragma once

#include <string>
#include <string_view>

namespace octavo::tokenizer {

/// The character that stands for a byte.
char32_t byte_level_character(unsigned char byte);
/// Each byte of `text` as its character, appended.
void append_byte_level(std::string_view text, std::string& out);
/// The bytes that a token stands for; false when a character of it stands for none.
bool byte_level_bytes(std::string_view token, std::string& out);

}  // namespace octavo::tokenizer
