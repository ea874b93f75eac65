// What the files of a sentence-transformers directory ask for, each checked against the token rows
// of the same model: pooling modes, Dense, Normalize, prompts, lengths.
#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "fixtures.h"
#include "formats/safetensors_writer.h"
#include "octavo/embedder.h"
#include "octavo/error.h"

namespace octavo::parity {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

const std::vector<std::string> kTexts = {"the cat",
                                         "a much longer text about the river and the sea", "x"};

class SentenceTransformers : public testing::Test {
 protected:
  void SetUp() override {
    folder_ =
        fs::temp_directory_path() /
        ("octavo-st-" + std::string(testing::UnitTest::GetInstance()->current_test_info()->name()) +
         "-" + std::to_string(::getpid()));
    fs::create_directories(folder_ / "1_Pooling");
    for (const char* name : {"tokenizer.json", "tokenizer_config.json"}) {
      fs::copy_file(data_folder() + "/tiny-embedder/" + name, folder_ / name);
    }
    for (const char* name : {"config.json", "model.safetensors"})
      fs::copy_file(data_folder() + "/models/bert/" + name, folder_ / name);
    pooling({"mean_tokens"});
    modules({"Transformer", "Pooling"});
  }
  void TearDown() override { fs::remove_all(folder_); }

  void write(const std::string& name, const Json& json) {
    std::ofstream(folder_ / name) << json.dump();
  }
  void modules(const std::vector<std::string>& types) {
    Json list = Json::array();
    for (std::size_t i = 0; i < types.size(); ++i) {
      const std::string path = i == 0 ? "" : std::to_string(i) + "_" + types[i];
      list.push_back({{"idx", i},
                      {"name", std::to_string(i)},
                      {"path", path},
                      {"type", "sentence_transformers.models." + types[i]}});
    }
    write("modules.json", list);
  }
  void pooling(const std::vector<std::string>& modes, bool include_prompt = true) {
    Json config = {{"word_embedding_dimension", 64}, {"include_prompt", include_prompt}};
    for (const char* mode : {"cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens",
                             "weightedmean_tokens", "lasttoken"}) {
      config["pooling_mode_" + std::string(mode)] =
          std::find(modes.begin(), modes.end(), mode) != modes.end();
    }
    write("1_Pooling/config.json", config);
  }
  Embedder load(const EmbedderOptions& options = {}) {
    return Embedder::load(folder_.string(), options);
  }

  /// Token rows of one text, by Model::run().
  std::vector<std::vector<double>> token_rows(const std::string& text) {
    const std::vector<std::int32_t> ids = Tokenizer::load(folder_.string()).encode(text).ids;
    NamedTensor input{.name = "input_ids",
                      .dtype = "int32",
                      .shape = {1, static_cast<std::int64_t>(ids.size())},
                      .data = {}};
    input.data.resize(ids.size() * 4);
    std::memcpy(input.data.data(), ids.data(), input.data.size());
    const std::vector<float> all = floats(Model::load(folder_.string()).run({input})[0]);
    std::vector<std::vector<double>> out;
    for (std::size_t t = 0; t < ids.size(); ++t)
      out.emplace_back(all.begin() + static_cast<std::ptrdiff_t>(t * 64),
                       all.begin() + static_cast<std::ptrdiff_t>((t + 1) * 64));
    return out;
  }

  fs::path folder_;
};

/// The formulas of sentence-transformers' Pooling, in double.
std::vector<double> pooled(const std::vector<std::vector<double>>& rows, const std::string& mode) {
  const double n = static_cast<double>(rows.size());
  std::vector<double> out(64, mode == "max_tokens" ? -1e30 : 0.0);
  if (mode == "cls_token") return rows.front();
  if (mode == "lasttoken") return rows.back();
  for (std::size_t t = 0; t < rows.size(); ++t) {
    for (std::size_t i = 0; i < 64; ++i) {
      if (mode == "max_tokens") out[i] = std::max(out[i], rows[t][i]);
      if (mode == "mean_tokens") out[i] += rows[t][i] / n;
      if (mode == "mean_sqrt_len_tokens") out[i] += rows[t][i] / std::sqrt(n);
      if (mode == "weightedmean_tokens")
        out[i] += rows[t][i] * static_cast<double>(t + 1) / (n * (n + 1) / 2);
    }
  }
  return out;
}

void expect_row(const std::vector<float>& got, std::size_t row,
                const std::vector<double>& expected) {
  for (std::size_t i = 0; i < expected.size(); ++i) {
    ASSERT_NEAR(got[row * expected.size() + i], expected[i], 1e-5)
        << "row " << row << ", dimension " << i;
  }
}

TEST_F(SentenceTransformers, EveryPoolingMode) {
  for (const char* mode : {"cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens",
                           "weightedmean_tokens", "lasttoken"}) {
    SCOPED_TRACE(mode);
    pooling({mode});
    const std::vector<float> got = load().embed(kTexts);
    for (std::size_t r = 0; r < kTexts.size(); ++r)
      expect_row(got, r, pooled(token_rows(kTexts[r]), mode));
  }
}

TEST_F(SentenceTransformers, SeveralModesAreConcatenatedInTheOrderOfTheReference) {
  pooling({"mean_tokens", "cls_token"});
  const std::vector<float> got = load().embed(kTexts);
  for (std::size_t r = 0; r < kTexts.size(); ++r) {
    std::vector<double> expected = pooled(token_rows(kTexts[r]), "cls_token");
    const std::vector<double> mean = pooled(token_rows(kTexts[r]), "mean_tokens");
    expected.insert(expected.end(), mean.begin(), mean.end());
    expect_row(got, r, expected);
  }
}

TEST_F(SentenceTransformers, DenseAndNormalizeFollowInTheirOrder) {
  modules({"Transformer", "Pooling", "Dense", "Normalize"});
  fs::create_directories(folder_ / "2_Dense");
  write("2_Dense/config.json", {{"in_features", 64},
                                {"out_features", 5},
                                {"bias", true},
                                {"activation_function", "torch.nn.modules.activation.Tanh"}});
  Tensor weight(DType::kFloat32, {5, 64}), bias(DType::kFloat32, {5});
  for (std::size_t i = 0; i < weight.elements(); ++i)
    weight.mutable_data<float>()[i] = std::sin(static_cast<float>(i));
  for (std::size_t i = 0; i < 5; ++i) bias.mutable_data<float>()[i] = 0.1f * static_cast<float>(i);
  formats::write_safetensors((folder_ / "2_Dense/model.safetensors").string(),
                             {{"linear.weight", weight}, {"linear.bias", bias}});
  Embedder embedder = load();
  EXPECT_EQ(embedder.dimensions(), 5u);
  const std::vector<float> got = embedder.embed(kTexts);
  for (std::size_t r = 0; r < kTexts.size(); ++r) {
    const std::vector<double> mean = pooled(token_rows(kTexts[r]), "mean_tokens");
    std::vector<double> expected(5);
    double norm = 0;
    for (std::size_t o = 0; o < 5; ++o) {
      double sum = bias.data<float>()[o];
      for (std::size_t i = 0; i < 64; ++i) sum += mean[i] * weight.data<float>()[o * 64 + i];
      expected[o] = std::tanh(sum);
      norm += expected[o] * expected[o];
    }
    for (double& value : expected) value /= std::sqrt(norm);
    expect_row(got, r, expected);
  }
  const std::vector<float> raw = load({.normalize = false}).embed(kTexts);
  EXPECT_NE(got, raw);
}

TEST_F(SentenceTransformers, PromptsAreReadAndTheirTokensLeftOutWhereAsked) {
  write("config_sentence_transformers.json",
        {{"prompts", {{"query", "the river "}, {"passage", ""}}},
         {"default_prompt_name", "query"},
         {"similarity_fn_name", "dot"}});
  Embedder embedder = load();
  EXPECT_EQ(embedder.prompt("query"), "the river ");
  EXPECT_EQ(embedder.default_prompt_name(), "query");
  EXPECT_EQ(embedder.similarity(), Similarity::kDot);
  EXPECT_THROW(embedder.prompt("document"), Error);
  const std::vector<std::string> joined = {"the river the cat"};
  EXPECT_EQ(embedder.embed(std::span(kTexts).subspan(0, 1), "the river "), embedder.embed(joined));
  pooling({"mean_tokens"}, false);
  const std::vector<float> got = load().embed(std::span(kTexts).subspan(0, 1), "the river ");
  auto rows = token_rows(joined[0]);
  const Tokenizer tokenizer = Tokenizer::load(folder_.string());
  const std::size_t skip =
      tokenizer.encode("the river ").ids.size() - 1;  // [CLS] and the prompt, not [SEP]
  rows.erase(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(skip));
  expect_row(got, 0, pooled(rows, "mean_tokens"));
}

TEST_F(SentenceTransformers, LengthsAreLimitedAndCounted) {
  write("sentence_bert_config.json", {{"max_seq_length", 6}, {"do_lower_case", false}});
  Embedder embedder = load();
  EXPECT_EQ(embedder.max_length(), 6u);
  EmbedStats stats;
  embedder.embed(kTexts, {}, &stats);
  EXPECT_EQ(stats.texts, 3u);
  EXPECT_GE(stats.truncated, 1u);
  EXPECT_EQ(load({.max_length = 9}).max_length(), 9u);
  EXPECT_THROW(load({.max_length = 129}), Error);  // the table has 128 positions
  EXPECT_THROW(load({.dimensions = 65}), Error);
}

TEST_F(SentenceTransformers, ADirectoryThatDoesNotSayItsPoolingIsRefused) {
  fs::remove(folder_ / "modules.json");
  EXPECT_THROW(load(), Error);
  EXPECT_EQ(load({.pooling = Pooling::kCls}).dimensions(), 64u);
}

}  // namespace
}  // namespace octavo::parity
