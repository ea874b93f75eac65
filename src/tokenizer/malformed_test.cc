// Every file of tests/data/malformed/tokenizer is refused with an error that says where; so is
// every prefix of a good one. And what a hostile but valid file or text must not do.
#include <gtest/gtest.h>

#include <filesystem>

#include "base/file.h"
#include "octavo/error.h"
#include "octavo/tokenizer.h"

namespace octavo {
namespace {

TEST(Malformed, EveryFileIsRefused) {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("tests/data/malformed/tokenizer")) {
    const std::string path = entry.path().string();
    ++count;
    try {
      Tokenizer::load(path);
      ADD_FAILURE() << path << " was accepted";
    } catch (const Error& error) {
      EXPECT_TRUE(error.code() == ErrorCode::kInvalidFile ||
                  error.code() == ErrorCode::kUnsupported)
          << path;
      EXPECT_FALSE(error.info().message.empty()) << path;
      EXPECT_EQ(error.info().file, path);
      EXPECT_FALSE(error.info().fix.empty()) << path;
    }
  }
  EXPECT_GE(count, 60u);
}

TEST(Malformed, EveryPrefixIsRefused) {
  const std::string text =
      R"({"version":"1.0","added_tokens":[{"id":3,"content":"x","special":true}],)"
      R"("normalizer":{"type":"NFC"},"pre_tokenizer":{"type":"Metaspace","replacement":"_"},)"
      R"("post_processor":{"type":"BertProcessing","sep":["a",1],"cls":["x",3]},)"
      R"("decoder":{"type":"Fuse"},"model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":["a b"]}})";
  EXPECT_EQ(Tokenizer::from_json(text).encode("ab").ids.size(), 3u);
  for (std::size_t size = 0; size < text.size(); ++size) {
    EXPECT_THROW(Tokenizer::from_json(text.substr(0, size)), Error) << size;
  }
}

std::string with_normalizer(const std::string& normalizer) {
  return R"({"normalizer":)" + normalizer +
         R"(,"model":{"type":"WordLevel","unk_token":"u","vocab":{"u":0,"a":1}}})";
}

TEST(Malformed, ReplacementsMustNotExplode) {
  std::string bomb = R"({"type":"Sequence","normalizers":[)";
  for (int i = 0; i < 12; ++i) {
    bomb +=
        (i ? "," : "") +
        std::string(R"({"type":"Replace","pattern":{"String":"a"},"content":"aaaaaaaaaaaaaaaa"})");
  }
  const Tokenizer tokenizer = Tokenizer::from_json(with_normalizer(bomb + "]}"));
  EXPECT_THROW(tokenizer.encode("a"), Error);
}

TEST(Malformed, PatternsWithCatastrophicBacktrackingGiveUp) {
  const Tokenizer tokenizer = Tokenizer::from_json(
      with_normalizer(R"({"type":"Replace","pattern":{"Regex":"(a+)+$"},"content":"x"})"));
  EXPECT_THROW(tokenizer.encode(std::string(64, 'a') + "b"), Error);
}

TEST(Malformed, PatternsThatMatchNothingEnd) {
  const Tokenizer tokenizer = Tokenizer::from_json(
      with_normalizer(R"({"type":"Replace","pattern":{"Regex":"b*"},"content":"-"})"));
  EXPECT_EQ(tokenizer.encode("a").ids.size(), 1u);
}

TEST(Malformed, CharacterMapWhoseUnitsPointOutside) {
  // A double array of one unit with a far offset, and one whose leaf points beyond the
  // replacements.
  for (const char* map : {"BAAAAP////9hAA==", "CAAAAAABAAAAAQAAYQA="}) {
    const Tokenizer tokenizer = Tokenizer::from_json(with_normalizer(
        R"({"type":"Precompiled","precompiled_charsmap":")" + std::string(map) + "\"}"));
    EXPECT_EQ(tokenizer.encode("a").ids.size(), 1u);
  }
}

TEST(Malformed, UnknownCharactersWithoutAnUnknownToken) {
  const Tokenizer unigram =
      Tokenizer::from_json(R"({"model":{"type":"Unigram","vocab":[["a",-1]]}})");
  EXPECT_EQ(unigram.encode("aa").ids.size(), 2u);
  EXPECT_THROW(unigram.encode("ab"), Error);
  const Tokenizer bpe = Tokenizer::from_json(
      R"({"model":{"type":"BPE","unk_token":"<u>","vocab":{"a":0},"merges":[]}})");
  EXPECT_THROW(bpe.encode("ab"), Error);
}

}  // namespace
}  // namespace octavo
