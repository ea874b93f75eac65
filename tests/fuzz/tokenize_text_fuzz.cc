// Text from outside through a tokenizer of each family. The first byte picks the tokenizer, the
// rest is the text. Run from the repository root.
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "octavo/error.h"
#include "octavo/tokenizer.h"

namespace {

const std::array<octavo::Tokenizer, 4>& tokenizers() {
  static const std::array<octavo::Tokenizer, 4> all = {
      octavo::Tokenizer::load("tests/data/tokenizers/unigram-sentencepiece/tokenizer.json"),
      octavo::Tokenizer::load("tests/data/tokenizers/bpe-sentencepiece/tokenizer.json"),
      octavo::Tokenizer::from_json(
          R"({"added_tokens":[{"id":1,"content":"[A]","lstrip":true,"rstrip":true,"normalized":false,"special":true}],
              "normalizer":{"type":"BertNormalizer"},"pre_tokenizer":{"type":"BertPreTokenizer"},"decoder":{"type":"WordPiece"},
              "model":{"type":"WordPiece","unk_token":"u","vocab":{"u":0,"[A]":1,"a":2,"##a":3,"the":4,"##b":5}}})"),
      octavo::Tokenizer::from_json(
          R"({"normalizer":{"type":"NFKC"},"pre_tokenizer":{"type":"Sequence","pretokenizers":[
              {"type":"Split","pattern":{"Regex":"\\p{L}+|\\s+(?!\\S)|\\p{N}"},"behavior":"MergedWithNext","invert":false},
              {"type":"ByteLevel"}]},"decoder":{"type":"ByteLevel"},
              "model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2,"abab":3},"merges":["a b",["ab","ab"]]}})"),
  };
  return all;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const octavo::Tokenizer& tokenizer = tokenizers()[data[0] % 4];
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  try {
    const octavo::Encoding encoding = tokenizer.encode(text);
    tokenizer.decode(encoding.ids, false);
    tokenizer.encode_pair(text, text.substr(text.size() / 2),
                          {.max_length = 8, .truncate_left = (data[0] & 4) != 0});
  } catch (const octavo::Error&) {
  }
  return 0;
}
