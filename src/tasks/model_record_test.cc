// What a model asks to be computed in, and what is said of one that has no packed form.
#include "tasks/model_record.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "formats/onnx_writer.h"
#include "octavo/error.h"
#include "octavo/model.h"

namespace octavo::tasks {
namespace {

namespace fs = std::filesystem;

class AskedPrecision : public testing::Test {
 protected:
  AskedPrecision()
      : path_(fs::path(testing::TempDir()) /
              (std::string("octavo-asked-") +
               testing::UnitTest::GetInstance()->current_test_info()->name() + ".onnx")) {
    model_.ir_version = 10;
    model_.opset_imports.push_back({"", 21});
    model_.graph.name = "g";
    model_.graph.initializers.push_back({"scale", Tensor::scalar(0.1f)});
    model_.graph.initializers.push_back({"w", Tensor::vector<float>(std::vector<float>(4, 1.0f))});
  }
  ~AskedPrecision() override { fs::remove(path_); }

  void add(std::string op, std::vector<std::string> inputs,
           std::vector<formats::OnnxAttribute> attributes = {}) {
    model_.graph.nodes.push_back({.name = op,
                                  .op_type = op,
                                  .domain = "",
                                  .overload = "",
                                  .inputs = std::move(inputs),
                                  .outputs = {op + ".y"},
                                  .attributes = std::move(attributes)});
  }
  void add_zero(DType dtype) { model_.graph.initializers.push_back({"zero", Tensor(dtype, {})}); }
  std::string asked() const {
    formats::write_onnx(model_, path_.string());
    return asked_precision(find_model(path_.string()));
  }

  formats::OnnxModel model_;
  fs::path path_;
};

formats::OnnxAttribute number(std::string name, std::int64_t value) {
  formats::OnnxAttribute out;
  out.name = std::move(name);
  out.i = value;
  return out;
}

TEST_F(AskedPrecision, OfFloatsIsNone) {
  add("MatMul", {"x", "w"});
  EXPECT_EQ(asked(), "");
}

TEST_F(AskedPrecision, OfWeightsInEightBitsIsNone) {
  add("DequantizeLinear", {"q", "scale"});
  add("QuantizeLinear", {"w", "scale"});
  EXPECT_EQ(asked(), "");
}

TEST_F(AskedPrecision, OfDynamicRoundingIsInt8) {
  add("DynamicQuantizeLinear", {"x"});
  EXPECT_EQ(asked(), "int8");
}

TEST_F(AskedPrecision, OfStaticRoundingDependsOnItsBits) {
  for (const auto& [dtype, expected] : {std::pair{DType::kInt8, "int8"},
                                        {DType::kUint8, "int8"},
                                        {DType::kUint16, ""},
                                        {DType::kInt16, ""}}) {
    model_.graph.nodes.clear();
    model_.graph.initializers.resize(2);
    add_zero(dtype);
    add("QuantizeLinear", {"x", "scale", "zero"});
    EXPECT_EQ(asked(), expected) << dtype_name(dtype);
  }
}

TEST_F(AskedPrecision, OfStaticRoundingWithoutAZeroPointDependsOnTheTypeItNames) {
  constexpr std::int64_t kInt8 = 3, kInt16 = 5;  // TensorProto.DataType
  add("QuantizeLinear", {"x", "scale"});
  EXPECT_EQ(asked(), "int8");
  model_.graph.nodes.clear();
  add("QuantizeLinear", {"x", "scale"}, {number("output_dtype", kInt8)});
  EXPECT_EQ(asked(), "int8");
  model_.graph.nodes.clear();
  add("QuantizeLinear", {"x", "scale"}, {number("output_dtype", kInt16)});
  EXPECT_EQ(asked(), "");
}

TEST_F(AskedPrecision, OfAGraphWithoutAPackedFormCannotBeChosen) {
  // A softmax over the tokens.
  const auto tokens = [](std::string name, std::int32_t type, std::size_t rank) {
    std::vector<formats::OnnxDimension> shape{{std::nullopt, "batch"}, {std::nullopt, "sequence"}};
    if (rank == 3) shape.push_back({8, ""});
    return formats::OnnxValueInfo{
        .name = std::move(name), .elem_type = type, .is_tensor = true, .shape = std::move(shape)};
  };
  Tensor table(DType::kFloat32, {12, 8});
  model_.graph.initializers.push_back({"table", std::move(table)});
  model_.graph.inputs = {tokens("input_ids", 7, 2), tokens("attention_mask", 7, 2)};
  model_.graph.outputs = {tokens("Softmax.y", 1, 3)};
  add("Gather", {"table", "input_ids"});
  add("Softmax", {"Gather.y"}, {number("axis", 1)});
  ASSERT_EQ(asked(), "");
  EXPECT_EQ(Model::load(path_.string(), {}).precision(), "fp32");
  EXPECT_EQ(Model::load(path_.string(), {.precision = "fp32"}).precision(), "fp32");
  for (const char* precision : {"int8", "bf16", "fp16"}) {
    try {
      Model::load(path_.string(), {.precision = precision});
      ADD_FAILURE() << precision;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
      EXPECT_NE(error.info().fix.find("--precision"), std::string::npos);
    }
  }
}

constexpr const char* kDigestOfAbc =
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";  // FIPS 180-4

class SourceDigest : public testing::Test {
 protected:
  SourceDigest() {
    fs::create_directories(folder_);
    write_file("model.onnx", "abc");
    write_file("model.onnx_data", "");
  }
  ~SourceDigest() override { fs::remove_all(folder_); }
  void write_file(const char* name, const char* text) const {
    std::ofstream(folder_ / name) << text;
  }
  ModelRecord record_of(const std::vector<std::string>& names) const {
    ModelFiles files;
    files.path = (folder_ / names.front()).string();
    ImportedModel imported;
    for (const std::string& name : names) imported.files.push_back((folder_ / name).string());
    return make_record(files, imported, {.verb = "quantize", .options = {}});
  }
  fs::path folder_ =
      fs::path(testing::TempDir()) / ("octavo-source-digest-" + std::to_string(::getpid()));
};

TEST_F(SourceDigest, OfOneFileIsItsOwn) {
  const ModelRecord record = record_of({"model.onnx"});
  EXPECT_EQ(record.source_digest, kDigestOfAbc);
  EXPECT_EQ(record.source_files, std::vector<std::string>{"model.onnx"});
}

// As `sha256sum FILES | cut -c1-64 | sha256sum` gives it.
TEST_F(SourceDigest, OfSeveralIsOfTheirDigests) {
  const ModelRecord record = record_of({"model.onnx", "model.onnx_data"});
  EXPECT_EQ(record.source_digest,
            "ff481ce4c9482a1350469a8ff263915d6a478123e3a0c03f6eba5cb3e38a150f");
  EXPECT_EQ(record.source_files, (std::vector<std::string>{"model.onnx", "model.onnx_data"}));
}

TEST(Record, SaysWhatItWasMeasuredOn) {
  const ModelRecord record{.source_files = {"model.onnx"},
                           .measured = {{"loss", 0.25}},
                           .measured_on = {{"data_set", "scifact"}, {"split", "test"}}};
  const ModelRecord again = ModelRecord::from_json(record.to_json());
  EXPECT_EQ(again.source_files, record.source_files);
  EXPECT_EQ(again.measured, record.measured);
  EXPECT_EQ(again.measured_on, record.measured_on);
}

TEST(Record, OfEarlierVersionsIsRead) {
  const ModelRecord record = ModelRecord::from_json(
      R"({"format":1,"tool_version":"octavo 0.1.0","source":"minilm","source_sha256":"ab",)"
      R"("recipe":[{"verb":"quantize","options":{"mode":"static"}}],)"
      R"("measured":{"score":0.5,"loss":0.001}})");
  EXPECT_EQ(record.source_digest, "ab");
  EXPECT_TRUE(record.source_files.empty());
  EXPECT_EQ(record.measured.at("loss"), 0.001);
  EXPECT_TRUE(record.measured_on.empty());
  EXPECT_EQ(record.recipe.front().options.at("mode"), "static");
}

}  // namespace
}  // namespace octavo::tasks
