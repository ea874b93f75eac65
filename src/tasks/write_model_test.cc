// Output directories: whole or absent, with what belongs beside a model, and never over the source.
#include "tasks/write_model.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/file.h"
#include "formats/onnx_reader.h"
#include "octavo/error.h"

namespace octavo::tasks {
namespace {

namespace fs = std::filesystem;

formats::OnnxModel tiny(float value) {
  formats::OnnxModel model;
  model.ir_version = 8;
  model.opset_imports.push_back({"", 17});
  model.graph.name = "g";
  Tensor weights(DType::kFloat32, {2000});
  for (float& w : weights.mutable_data<float>()) w = value;
  model.graph.initializers.push_back({"w", std::move(weights)});
  return model;
}

class WriteModel : public testing::Test {
 protected:
  WriteModel() {
    root_ = fs::path(testing::TempDir()) /
            ("octavo-write-" +
             std::string(testing::UnitTest::GetInstance()->current_test_info()->name()));
    fs::remove_all(root_);
    put("source/config.json", R"({"model_type": "bert"})");
    put("source/model.safetensors", "not read here");
    put("source/tokenizer.json", "{}");
    put("source/modules.json",
        R"([{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
            {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}])");
    put("source/1_Pooling/config.json", R"({"pooling_mode_mean_tokens": true})");
    put("source/notes.txt", "not a companion");
    source_ = find_model(at("source"));
  }
  ~WriteModel() override { fs::remove_all(root_); }

  std::string at(const std::string& name) const { return (root_ / name).string(); }
  void put(const std::string& name, const std::string& text) {
    fs::create_directories((root_ / name).parent_path());
    std::ofstream(at(name)) << text;
  }
  std::vector<std::string> listing() const {
    std::vector<std::string> out;
    for (const auto& entry : fs::directory_iterator(root_))
      out.push_back(entry.path().filename().string());
    std::sort(out.begin(), out.end());
    return out;
  }
  float first_weight(const std::string& name) const {
    return formats::read_onnx(at(name)).graph.initializers[0].tensor.data<float>()[0];
  }

  fs::path root_;
  ModelFiles source_;
  ModelRecord record_{.tool_version = "octavo 9",
                      .source = "source",
                      .source_digest = "abc",
                      .recipe = {{"convert", {{"opset", "17"}}}},
                      .measured = {{"max_error", 0.5}}};
};

TEST_F(WriteModel, HoldsTheModelItsCompanionsAndTheRecord) {
  const WrittenModel written =
      write_model(tiny(1), source_, record_, {.directory = at("deep/out/")});
  EXPECT_EQ(written.path, at("deep/out/model.onnx"));
  EXPECT_EQ(written.bytes, fs::file_size(written.path));
  std::vector<std::string> files = written.files;
  std::sort(files.begin(), files.end());
  EXPECT_EQ(files, (std::vector<std::string>{"1_Pooling/config.json", "config.json", "model.onnx",
                                             "modules.json", "octavo.json", "tokenizer.json"}));
  for (const std::string& file : files) EXPECT_TRUE(file_exists(at("deep/out/" + file))) << file;
  EXPECT_EQ(read_text_file(at("deep/out/1_Pooling/config.json")),
            read_text_file(at("source/1_Pooling/config.json")));
  EXPECT_EQ(listing(), (std::vector<std::string>{"deep", "source"})) << "nothing is left aside";

  const auto metadata = formats::read_onnx(written.path).metadata_props;
  const ModelRecord inside = ModelRecord::from_json(metadata.at(kRecordKey));
  EXPECT_EQ(inside.to_json(2) + "\n", read_text_file(at("deep/out/octavo.json")));
  EXPECT_EQ(inside.recipe.at(0).options.at("opset"), "17");
  EXPECT_EQ(inside.measured.at("max_error"), 0.5);
  EXPECT_EQ(find_model(at("deep/out")).weights, written.path) << "octavo reads what it wrote";
}

TEST_F(WriteModel, ReplacesFilesOnlyWhenAsked) {
  write_model(tiny(1), source_, record_, {.directory = at("out"), .external_data = true});
  EXPECT_TRUE(file_exists(at("out/model.onnx_data")));
  put("out/own.txt", "of the user");
  try {
    write_model(tiny(2), source_, record_, {.directory = at("out")});
    ADD_FAILURE() << "wrote over files";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    EXPECT_NE(error.info().fix.find("--force"), std::string::npos);
  }
  EXPECT_EQ(first_weight("out/model.onnx"), 1);
  write_model(tiny(2), source_, record_, {.directory = at("out"), .force = true});
  EXPECT_EQ(first_weight("out/model.onnx"), 2);
  EXPECT_EQ(read_text_file(at("out/own.txt")), "of the user");
  EXPECT_FALSE(file_exists(at("out/model.onnx_data"))) << "the old model's data";
  fs::create_directory(at("empty"));
  write_model(tiny(3), source_, record_, {.directory = at("empty")});
  EXPECT_EQ(first_weight("empty/model.onnx"), 3);
}

TEST_F(WriteModel, NeverWritesOverTheSource) {
  fs::create_directory_symlink(at("source"), at("alias"));
  for (const char* name : {"source", "source/.", "alias"}) {
    EXPECT_THROW(write_model(tiny(2), source_, record_, {.directory = at(name), .force = true}),
                 Error)
        << name;
  }
  EXPECT_EQ(read_text_file(at("source/model.safetensors")), "not read here");
  EXPECT_FALSE(file_exists(at("source/model.onnx")));
}

TEST_F(WriteModel, RefusesFileNamesOutsideTheDirectoryAndOfOtherFiles) {
  put("models/m.onnx", "the source");
  const ModelFiles onnx = find_model(at("models/m.onnx"));
  for (const std::string& name :
       {std::string("../m.onnx"), std::string("onnx/../../m.onnx"), at("models/m.onnx"),
        std::string("tokenizer.json"), std::string("octavo.json"), std::string("model"),
        std::string(".onnx"), std::string("onnx/"), std::string()}) {
    for (const bool force : {false, true}) {
      const WriteModelOptions options{
          .directory = at("models/q"), .file_name = name, .force = force};
      EXPECT_THROW(check_output(onnx, options), Error) << name;
      EXPECT_THROW(write_model(tiny(2), onnx, record_, options), Error) << name;
      std::vector<ModelVariant> variants;
      variants.push_back({name, tiny(1), record_});
      EXPECT_THROW(write_models(std::move(variants), onnx, {.directory = at("models/q")}), Error)
          << name;
    }
  }
  // Inside the directory, and yet the source.
  EXPECT_THROW(
      write_model(tiny(2), onnx, record_,
                  {.directory = root_.string(), .file_name = "models/m.onnx", .force = true}),
      Error);
  EXPECT_TRUE(read_text_file(at("models/m.onnx")) == "the source");
  EXPECT_FALSE(fs::exists(at("models/q")));
  EXPECT_EQ(listing(), (std::vector<std::string>{"models", "source"}));
}

TEST_F(WriteModel, RefusesWhatIsNoDirectory) {
  put("file", "x");
  for (const char* name : {"file", "out.onnx"}) {
    EXPECT_THROW(write_model(tiny(2), source_, record_, {.directory = at(name)}), Error) << name;
  }
  EXPECT_THROW(write_model(tiny(2), source_, record_, {.directory = ""}), Error);
  EXPECT_EQ(listing(), (std::vector<std::string>{"file", "source"}));
}

TEST_F(WriteModel, SeveralModelsShareTheirCompanions) {
  std::vector<ModelVariant> variants;
  variants.push_back({"onnx/model.onnx", tiny(1), record_});
  variants.push_back({"onnx/model_O2.onnx", tiny(2), record_});
  const auto written = write_models(std::move(variants), source_, {.directory = at("out")});
  ASSERT_EQ(written.size(), 2u);
  EXPECT_EQ(first_weight("out/onnx/model.onnx"), 1);
  EXPECT_EQ(first_weight("out/onnx/model_O2.onnx"), 2);
  EXPECT_TRUE(file_exists(at("out/tokenizer.json")));
  EXPECT_EQ(find_model(at("out/onnx/model_O2.onnx")).tokenizer_path(""), at("out"));
}

TEST(ModelRecordTest, KeepsTheHistoryOfAModelThatOctavoWrote) {
  const ModelRecord first{.tool_version = "octavo 1",
                          .source = "minilm",
                          .source_digest = "abc",
                          .recipe = {{"convert", {}}},
                          .measured = {{"loss", 1}}};
  const ImportedModel imported{
      .graph = {}, .family = "octavo", .files = {}, .metadata = {{kRecordKey, first.to_json()}}};
  const ModelRecord second =
      make_record({.path = "out", .directory = "out", .weights = ""}, imported, {"quantize", {}});
  EXPECT_EQ(second.source, "minilm");
  EXPECT_EQ(second.source_digest, "abc");
  ASSERT_EQ(second.recipe.size(), 2u);
  EXPECT_EQ(second.recipe[1].verb, "quantize");
  EXPECT_TRUE(second.measured.empty()) << "of another model";
}

/// A record with two layers, of which the second has `fields`.
std::string record_with(const std::string& fields) {
  return R"({"recipe": [], "sensitivity": {"metric": "cosine", "layers": [
      {"node": "a", "place": 0, "cosine": 0.5, "sqnr_db": 3},
      {"node": "b", )" +
         fields + "}]}}";
}

TEST(ModelRecordTest, BelievesNoFiguresThatCannotBe) {
  const ModelRecord good =
      ModelRecord::from_json(record_with(R"("place": 1, "cosine": 1.0000001, "sqnr_db": -200)"));
  ASSERT_EQ(good.sensitivity.size(), 2u);
  EXPECT_EQ(good.sensitivity[1].place, 1u);
  for (const char* fields :
       {R"("place": 1, "cosine": 1e20, "sqnr_db": 3)",
        R"("place": 1, "cosine": -1.5, "sqnr_db": 3)",
        R"("place": 1, "cosine": 0.5, "sqnr_db": 1e308)",
        R"("place": 1, "cosine": 0.5, "sqnr_db": -201)",
        R"("place": 2, "cosine": 0.5, "sqnr_db": 3)", R"("place": -1, "cosine": 0.5, "sqnr_db": 3)",
        R"("place": 9007199254740993, "cosine": 0.5, "sqnr_db": 3)",
        R"("place": 1, "cosine": 0.5, "sqnr_db": 3, "score_loss": 1.5)"}) {
    EXPECT_THROW(ModelRecord::from_json(record_with(fields)), Error) << fields;
  }
}

}  // namespace
}  // namespace octavo::tasks
