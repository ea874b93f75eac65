// The goldens whose tokenizer.json comes with real models, found under $OCTAVO_MODELS.
#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>

#include "base/file.h"
#include "octavo/tokenizer.h"

namespace octavo {
namespace {

using nlohmann::json;

std::string models_folder() {
  if (const char* folder = std::getenv("OCTAVO_MODELS")) return folder;
  const char* home = std::getenv("HOME");
  return std::string(home ? home : ".") + "/.cache/octavo/models";
}

void expect_goldens(const std::string& model, const std::string& golden) {
  const std::string path = models_folder() + "/" + model;
  if (!file_exists(path)) {
    if (std::getenv("CI")) FAIL() << path << " is missing";
    GTEST_SKIP() << "left out: " << path << " is missing (scripts/fetch_models)";
  }
  const Tokenizer tokenizer = Tokenizer::load(path);
  const json strings = json::parse(read_text_file("tests/data/tokenizers/strings.json"));
  const json expected =
      json::parse(read_text_file("tests/data/tokenizers/" + golden + "/expected.json"));
  ASSERT_EQ(strings.size(), expected["single"].size());
  for (std::size_t i = 0; i < strings.size(); ++i) {
    EXPECT_EQ(json(tokenizer.encode(strings[i].get<std::string>()).ids), expected["single"][i])
        << strings[i];
  }
  for (std::size_t i = 0; i < 60; ++i) {
    const Encoding pair =
        tokenizer.encode_pair(strings[i].get<std::string>(), strings[60 + i].get<std::string>());
    EXPECT_EQ(json(pair.ids), expected["pair"][i]);
    EXPECT_EQ(json(pair.type_ids), expected["pair_types"][i]);
  }
}

// The same vocabulary as e5-small-v2.
TEST(TokenizerGoldens, MiniLm) {
  expect_goldens("all-MiniLM-L6-v2/tokenizer.json", "bert-wordpiece");
}
TEST(ModelTokenizerGoldens, E5) {
  expect_goldens("onnx/e5-small-v2/tokenizer.json", "bert-wordpiece");
}
TEST(ModelTokenizerGoldens, Qwen2) {
  expect_goldens("tokenizers/qwen2.5/tokenizer.json", "qwen2.5");
}
TEST(ModelTokenizerGoldens, Llama3) {
  expect_goldens("tokenizers/llama3/tokenizer.json", "llama3");
}

}  // namespace
}  // namespace octavo
