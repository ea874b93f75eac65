// Tokenizers against the goldens that bring their own files, and the parts that the goldens do not
// reach.
#include "octavo/tokenizer.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "octavo/error.h"

namespace octavo {
namespace {

using nlohmann::json;

const std::string kData = "tests/data/tokenizers/";

json read_json(const std::string& path) { return json::parse(read_text_file(path)); }

void expect_goldens(const Tokenizer& tokenizer, const std::string& folder) {
  const json strings = read_json(kData + "strings.json"),
             expected = read_json(kData + folder + "/expected.json");
  ASSERT_EQ(strings.size(), expected["single"].size());
  for (std::size_t i = 0; i < strings.size(); ++i) {
    EXPECT_EQ(json(tokenizer.encode(strings[i].get<std::string>()).ids), expected["single"][i])
        << strings[i];
  }
  ASSERT_EQ(expected["pair"].size(), 60u);
  for (std::size_t i = 0; i < 60; ++i) {
    const Encoding pair =
        tokenizer.encode_pair(strings[i].get<std::string>(), strings[60 + i].get<std::string>());
    EXPECT_EQ(json(pair.ids), expected["pair"][i]);
    EXPECT_EQ(json(pair.type_ids), expected["pair_types"][i]);
    EXPECT_FALSE(pair.truncated);
  }
}

TEST(Goldens, Unigram) {
  expect_goldens(Tokenizer::load(kData + "unigram-sentencepiece/tokenizer.json"),
                 "unigram-sentencepiece");
}
TEST(Goldens, SentencePieceBpe) {
  const Tokenizer tokenizer = Tokenizer::load(kData + "bpe-sentencepiece");
  EXPECT_EQ(tokenizer.kind(), "BPE");
  expect_goldens(tokenizer, "bpe-sentencepiece");
}

// A word gives the same ids whatever stood before it, and however often.
TEST(Tokenizer, RepeatedWordsAreLikeSingleOnes) {
  std::vector<std::string> words;
  for (int i = 0; i < 2000; ++i) {
    std::string word = i % 3 == 0 ? "repeat" : i % 3 == 1 ? "\u0635\u0644\u0649" : "x";
    for (int n = i * i % 601; n > 0; n /= 7) word += static_cast<char>('a' + n % 26);
    if (i % 97 == 0) word += std::string(40, 'q');
    words.push_back(word);
  }
  for (const char* name : {"unigram-sentencepiece", "bpe-sentencepiece"}) {
    const Tokenizer tokenizer = Tokenizer::load(kData + name);
    std::string text;
    std::vector<std::int32_t> expected;
    for (const std::string& word : words) {
      text += (text.empty() ? "" : " ") + word;
      const auto one = tokenizer.encode(word, {.add_special_tokens = false}).ids;
      expected.insert(expected.end(), one.begin(), one.end());
    }
    EXPECT_EQ(tokenizer.encode(text, {.add_special_tokens = false}).ids, expected) << name;
  }
}

// A WordPiece tokenizer with the components of BERT.
std::string bert_json(const std::string& extra = "") {
  return R"({"version": "1.0", "truncation": {"max_length": 128, "strategy": "LongestFirst", "stride": 0},
    "padding": {"pad_id": 0}, "added_tokens": [
      {"id": 2, "content": "[CLS]", "normalized": false, "special": true}, {"id": 3, "content": "[SEP]", "normalized": false, "special": true},
      {"id": 4, "content": "[MASK]", "single_word": false, "lstrip": true, "rstrip": false, "normalized": false, "special": true}],
    "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null, "lowercase": true},
    "pre_tokenizer": {"type": "BertPreTokenizer"},
    "post_processor": {"type": "TemplateProcessing",
      "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "[SEP]", "type_id": 0}}],
      "pair": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "[SEP]", "type_id": 0}},
               {"Sequence": {"id": "B", "type_id": 1}}, {"SpecialToken": {"id": "[SEP]", "type_id": 1}}],
      "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [2], "tokens": ["[CLS]"]}, "[SEP]": {"id": "[SEP]", "ids": [3], "tokens": ["[SEP]"]}}},
    "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
    "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 10,
      "vocab": {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "[MASK]": 4, "play": 5, "##ing": 6, "cafe": 7, "!": 8, "the": 9,
                "a": 10, "##b": 11, "\u4e2d": 12, "extraordinarilylongtoken": 13}})" +
         extra + "}";
}

using Ids = std::vector<std::int32_t>;

TEST(WordPiece, LongestMatchFirst) {
  const Tokenizer t = Tokenizer::from_json(bert_json());
  EXPECT_EQ(t.encode("Playing the CAF\u00c9!").ids, (Ids{2, 5, 6, 9, 7, 8, 3}));
  EXPECT_EQ(t.encode("cafe\u0301 \u4e2d\u4e2d a\u00adb").ids, (Ids{2, 7, 12, 12, 10, 11, 3}));
  EXPECT_EQ(t.encode("plays").ids, (Ids{2, 1, 3}));  // no piece for the s: the whole word
  EXPECT_EQ(t.encode("extraordinarilylongtoken").ids,
            (Ids{2, 1, 3}));  // beyond max_input_chars_per_word
  EXPECT_EQ(t.encode("the  [MASK]the").ids, (Ids{2, 9, 4, 9, 3}));
  EXPECT_EQ(t.encode("").ids, (Ids{2, 3}));
  EXPECT_EQ(t.encode("the", {.add_special_tokens = false}).ids, (Ids{9}));
}

TEST(WordPiece, CanonicalOrderMatters) {
  // U+1D165 has a combining class but is no Mn: the one-pass path hands such texts to the
  // components.
  const Tokenizer t = Tokenizer::from_json(bert_json());
  EXPECT_EQ(t.encode("the \U0001d165").ids, (Ids{2, 9, 1, 3}));
}

TEST(Truncation, StrategiesAndSides) {
  const Tokenizer t = Tokenizer::from_json(bert_json());
  Encoding e = t.encode("the a ! the", {.max_length = 4});
  EXPECT_EQ(e.ids, (Ids{2, 9, 10, 3}));
  EXPECT_TRUE(e.truncated);
  EXPECT_EQ(t.encode("the a ! the", {.max_length = 4, .truncate_left = true}).ids,
            (Ids{2, 8, 9, 3}));
  EXPECT_FALSE(t.encode("the a", {.max_length = 4}).truncated);
  EXPECT_EQ(t.encode_pair("the the the", "a", {.max_length = 6}).ids, (Ids{2, 9, 9, 3, 10, 3}));
  EXPECT_EQ(t.encode_pair("the the the", "a a a", {.max_length = 6}).type_ids,
            (Ids{0, 0, 0, 1, 1, 1}));
  const EncodeOptions second{.max_length = 6, .strategy = TruncationStrategy::kOnlySecond};
  EXPECT_EQ(t.encode_pair("the the", "a a a", second).ids, (Ids{2, 9, 9, 3, 10, 3}));
  EXPECT_THROW(t.encode_pair("the the the", "a", second), Error);
  EXPECT_THROW(t.encode("the the the the the", second), Error);
  EXPECT_THROW(t.encode("the", {.max_length = 1}), Error);
  EXPECT_EQ(t.encode("the", {.max_length = 2}).ids, (Ids{2, 3}));
}

TEST(Tokenizer, TellsWhatTheFileSays) {
  const Tokenizer t = Tokenizer::from_json(bert_json());
  EXPECT_EQ(t.kind(), "WordPiece");
  EXPECT_EQ(t.vocab_size(), 14u);
  EXPECT_EQ(t.token_to_id("play"), 5);
  EXPECT_FALSE(t.token_to_id("plays"));
  EXPECT_EQ(t.id_to_token(6), "##ing");
  EXPECT_EQ(t.id_to_token(99), "");
  EXPECT_EQ(t.truncation_max_length(), 128u);
  EXPECT_EQ(t.pad_id(), 0);
  EXPECT_EQ(t.special_tokens_added(true), 3u);
  EXPECT_EQ(t.decode(t.encode("Playing the cafe!").ids), "playing the cafe!");
  EXPECT_EQ(t.decode(t.encode("the").ids, false), "[CLS] the [SEP]");
}

TEST(Tokenizer, InvalidUtf8CountsAsReplacementCharacters) {
  const Tokenizer t = Tokenizer::load(kData + "unigram-sentencepiece/tokenizer.json");
  for (const auto& [bytes, text] : std::vector<std::pair<std::string, std::string>>{
           {"a\xff b", "a\ufffd b"},
           {"\xe2\x82", "\ufffd"},
           {"\xf0\x9f\x98x", "\ufffdx"},
           {"\xed\xa0\x80", "\ufffd\ufffd\ufffd"},  // a surrogate
           {"\xc0\xaf", "\ufffd\ufffd"},            // overlong
           {"\xf4\x90\x80\x80", "\ufffd\ufffd\ufffd\ufffd"}}) {
    EXPECT_EQ(t.encode(bytes).ids, t.encode(text).ids) << text;
  }
}

TEST(Tokenizer, VocabTxtAlone) {
  const std::string folder = testing::TempDir() + "octavo_vocab_txt";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  write_file_atomically(folder + "/vocab.txt", [](std::ostream& out) {
    out << "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\nThe\n##m\r\n";
  });
  Tokenizer t = Tokenizer::load(folder);
  EXPECT_EQ(t.encode("The them [MASK]").ids, (Ids{2, 5, 5, 7, 4, 3}));
  EXPECT_EQ(t.encode_pair("the", "the").type_ids, (Ids{0, 0, 0, 1, 1}));
  EXPECT_EQ(t.pad_id(), 0);
  write_file_atomically(folder + "/tokenizer_config.json", [](std::ostream& out) {
    out << R"({"do_lower_case": false, "model_max_length": 512, "pad_token": {"content": "[MASK]"}})";
  });
  t = Tokenizer::load(folder + "/vocab.txt");
  EXPECT_EQ(t.encode("The the").ids, (Ids{2, 6, 5, 3}));
  EXPECT_EQ(t.model_max_length(), 512u);
  EXPECT_EQ(t.pad_id(), 4);
}

TEST(Tokenizer, NothingToLoad) {
  try {
    Tokenizer::load(testing::TempDir() + "octavo_no_such_tokenizer.json");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kNotFound);
  }
}

}  // namespace
}  // namespace octavo
