// `octavo tokenize` reduced to what the tests need, with more options for each line: reads one JSON
// value a line (a string, or {"text", "pair", "max_length", "strategy", "truncate_left",
// "special"}) and prints {"ids", "type_ids", "truncated"}; {"decode": [ids], "skip": bool} prints
// the text.
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "octavo/error.h"
#include "octavo/tokenizer.h"

namespace {

using nlohmann::json;

json answer(const octavo::Tokenizer& tokenizer, const json& line) {
  if (line.is_object() && line.contains("decode")) {
    return tokenizer.decode(line["decode"].get<std::vector<std::int32_t>>(),
                            line.value("skip", true));
  }
  octavo::EncodeOptions options;
  octavo::Encoding encoding;
  if (line.is_string()) {
    encoding = tokenizer.encode(line.get_ref<const std::string&>());
  } else {
    options.max_length = line.value("max_length", std::size_t{0});
    options.add_special_tokens = line.value("special", true);
    options.truncate_left = line.value("truncate_left", false);
    const std::string strategy = line.value("strategy", "longest_first");
    options.strategy = strategy == "only_first"    ? octavo::TruncationStrategy::kOnlyFirst
                       : strategy == "only_second" ? octavo::TruncationStrategy::kOnlySecond
                                                   : octavo::TruncationStrategy::kLongestFirst;
    const std::string text = line.at("text");
    try {
      encoding = line.contains("pair")
                     ? tokenizer.encode_pair(text, line["pair"].get<std::string>(), options)
                     : tokenizer.encode(text, options);
    } catch (const octavo::Error& error) {
      return {{"error", error.info().message}};
    }
  }
  return {
      {"ids", encoding.ids}, {"type_ids", encoding.type_ids}, {"truncated", encoding.truncated}};
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 2) {
    std::cerr << "usage: tokenize_lines TOKENIZER < lines.jsonl\n";
    return 2;
  }
  const octavo::Tokenizer tokenizer = octavo::Tokenizer::load(argv[1]);
  std::ios::sync_with_stdio(false);
  for (std::string line; std::getline(std::cin, line);) {
    std::cout << answer(tokenizer, json::parse(line)).dump() << '\n';
  }
  return 0;
} catch (const std::exception& error) {
  std::cerr << error.what() << '\n';
  return 1;
}
