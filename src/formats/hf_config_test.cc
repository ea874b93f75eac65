// The config files of Hugging Face and sentence-transformers directories, in the forms that
// published models have.
#include "formats/hf_config.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "octavo/error.h"

namespace octavo::formats {
namespace {

namespace fs = std::filesystem;

class HfConfigTest : public ::testing::Test {
 protected:
  HfConfigTest() {
    std::string pattern = (fs::temp_directory_path() / "octavo-config-XXXXXX").string();
    root_ = ::mkdtemp(pattern.data());
  }
  ~HfConfigTest() override { fs::remove_all(root_); }
  void put(const std::string& name, const std::string& text) const {
    fs::create_directories((root_ / name).parent_path());
    std::ofstream(root_ / name) << text;
  }
  SentenceTransformersConfig load() const { return load_sentence_transformers(root_.string()); }

  fs::path root_;
};

TEST_F(HfConfigTest, ABareDirectoryHasNothing) {
  const auto config = load();
  EXPECT_FALSE(config.has_modules);
  EXPECT_TRUE(config.modules.empty());
  EXPECT_FALSE(config.max_seq_length.has_value());
  EXPECT_FALSE(config.similarity_fn_name.has_value());
  EXPECT_FALSE(config.model_max_length.has_value());
  try {
    load_hf_config(root_.string());
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kNotFound);
  }
}

// The files of all-MiniLM-L6-v2.
TEST_F(HfConfigTest, ReadsASentenceTransformersDirectory) {
  put("config.json", R"({"model_type": "bert", "hidden_size": 384, "layer_norm_eps": 1e-12})");
  put("modules.json", R"([
    {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
    {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
    {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"}])");
  put("1_Pooling/config.json", R"({"word_embedding_dimension": 384, "pooling_mode_cls_token": false,
    "pooling_mode_mean_tokens": true, "pooling_mode_max_tokens": false, "pooling_mode_mean_sqrt_len_tokens": false})");
  put("sentence_bert_config.json", R"({"max_seq_length": 256, "do_lower_case": false})");
  put("config_sentence_transformers.json",
      R"({"__version__": {"sentence_transformers": "2.0.0"}})");
  put("tokenizer_config.json", R"({"model_max_length": 512})");
  EXPECT_EQ(load_hf_config(root_.string()).root().at("hidden_size").as_int(), 384);
  const auto config = load();
  ASSERT_EQ(config.modules.size(), 3u);
  EXPECT_EQ(config.modules[0].kind, ModuleKind::kTransformer);
  EXPECT_EQ(config.modules[2].kind, ModuleKind::kNormalize);
  const PoolingConfig& pooling = config.modules[1].pooling.value();
  EXPECT_TRUE(pooling.mean_tokens);
  EXPECT_FALSE(pooling.cls_token || pooling.max_tokens || pooling.mean_sqrt_len_tokens ||
               pooling.last_token);
  EXPECT_TRUE(pooling.include_prompt);
  EXPECT_EQ(pooling.word_embedding_dimension, 384);
  EXPECT_EQ(config.max_seq_length, 256);
  EXPECT_EQ(config.do_lower_case, false);
  EXPECT_EQ(config.model_max_length, 512);
  EXPECT_TRUE(config.prompts.empty());
}

TEST_F(HfConfigTest, ReadsPromptsDenseAndANestedTransformer) {
  put("modules.json", R"([
    {"idx": 2, "name": "2", "path": "2_Dense", "type": "sentence_transformers.models.Dense"},
    {"idx": 0, "name": "0", "path": "0_Transformer", "type": "sentence_transformers.models.Transformer"},
    {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.sentence_transformer.modules.pooling.Pooling"}])");
  put("1_Pooling/config.json",
      R"({"pooling_mode_lasttoken": true, "pooling_mode_weightedmean_tokens": true, "include_prompt": false})");
  put("2_Dense/config.json",
      R"({"in_features": 8, "out_features": 4, "bias": false, "activation_function": "torch.nn.modules.linear.Identity"})");
  put("0_Transformer/sentence_bert_config.json", R"({"max_seq_length": 8192})");
  put("0_Transformer/tokenizer_config.json",
      R"({"model_max_length": 1000000000000000019884624838656})");
  put("config_sentence_transformers.json",
      R"({"prompts": {"query": "Represent: ", "document": ""}, "default_prompt_name": "query", "similarity_fn_name": "cosine"})");
  const auto config = load();
  ASSERT_EQ(config.modules.size(), 3u);
  EXPECT_EQ(config.modules[2].kind, ModuleKind::kDense);  // by idx, not by place
  EXPECT_EQ(config.modules[2].dense->in_features, 8);
  EXPECT_EQ(config.modules[2].dense->out_features, 4);
  EXPECT_FALSE(config.modules[2].dense->bias);
  EXPECT_EQ(config.modules[2].dense->activation_function, "torch.nn.modules.linear.Identity");
  EXPECT_TRUE(config.modules[1].pooling->last_token);
  EXPECT_TRUE(config.modules[1].pooling->weighted_mean_tokens);
  EXPECT_FALSE(config.modules[1].pooling->include_prompt);
  EXPECT_EQ(config.max_seq_length, 8192);
  EXPECT_FALSE(config.model_max_length.has_value());
  EXPECT_EQ(config.prompts.at("query"), "Represent: ");
  EXPECT_EQ(config.prompts.at("document"), "");
  EXPECT_EQ(config.default_prompt_name, "query");
  EXPECT_EQ(config.similarity_fn_name, "cosine");
}

TEST_F(HfConfigTest, NullCountsAsAbsent) {
  put("config_sentence_transformers.json",
      R"({"prompts": {}, "default_prompt_name": null, "similarity_fn_name": null})");
  put("sentence_bert_config.json", R"({"max_seq_length": null, "do_lower_case": false})");
  const auto config = load();
  EXPECT_FALSE(config.default_prompt_name.has_value());
  EXPECT_FALSE(config.similarity_fn_name.has_value());
  EXPECT_FALSE(config.max_seq_length.has_value());
}

TEST_F(HfConfigTest, ReadsThePoolingModeOfNewerReleases) {
  const auto pooling = [](const char* text) {
    return parse_pooling_config(JsonDocument::parse(text, "p").root());
  };
  EXPECT_TRUE(pooling(R"({"pooling_mode": "cls"})").cls_token);
  const auto both = pooling(R"({"pooling_mode": ["max", "lasttoken"]})");
  EXPECT_TRUE(both.max_tokens && both.last_token);
  EXPECT_FALSE(both.mean_tokens);
}

}  // namespace
}  // namespace octavo::formats
