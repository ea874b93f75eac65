#include "tokenizer/component.h"

#include "tokenizer/unicode.h"

namespace octavo::tokenizer {

void check_growth(std::size_t size, std::size_t limit) {
  if (size <= limit) return;
  throw Error(ErrorCode::kUnsupported,
              {.message = "the tokenizer's rules blow this text up",
               .expected = "at most " + std::to_string(limit) + " bytes",
               .found = "at least " + std::to_string(size) + " bytes",
               .fix = "check the normalizer of tokenizer.json, or shorten the text"});
}

char32_t one_character(JsonValue json, std::string_view key) {
  const JsonValue value = json.at(key);
  const std::string_view text = value.as_string();
  if (count_code_points(text) != 1)
    value.fail("wrong length", "one character", "'" + std::string(text) + "'");
  const char* p = text.data();
  return decode(p);
}

std::shared_ptr<const Pattern> read_pattern(JsonValue json) {
  const JsonValue pattern = json.at("pattern");
  if (const auto literal = pattern.get("String"))
    return make_literal_pattern(std::string(literal->as_string()));
  if (const auto regex = pattern.get("Regex"))
    return make_regex_pattern(regex->as_string(), json.file());
  pattern.fail("not a pattern", "an object with the key 'String' or 'Regex'");
}

}  // namespace octavo::tokenizer
