// Forms a Hugging Face checkpoint comes in: other element types, shards, prefixes, activations,
// families without a golden.
#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "base/file.h"
#include "base/half.h"
#include "fixtures.h"
#include "formats/safetensors_writer.h"
#include "formats/sharded_safetensors.h"
#include "importers/hf.h"
#include "octavo/error.h"
#include "ops/evaluate.h"

namespace octavo::parity {
namespace {

namespace fs = std::filesystem;
using Weights = std::vector<formats::NamedTensor>;

/// A folder of its own for each test, removed at its end.
class Checkpoints : public testing::Test {
 protected:
  void SetUp() override {
    folder_ =
        fs::temp_directory_path() /
        ("octavo-" + std::string(testing::UnitTest::GetInstance()->current_test_info()->name()) +
         "-" + std::to_string(::getpid()));
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string path() const { return folder_.string(); }
  void write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name) << text;
  }
  void write_weights(const Weights& weights, const std::string& name = "model.safetensors") {
    formats::write_safetensors((folder_ / name).string(), weights);
  }

  fs::path folder_;
};

std::string bert_folder() { return data_folder() + "/models/bert"; }

nlohmann::json bert_config() {
  return nlohmann::json::parse(read_text_file(bert_folder() + "/config.json"));
}

Weights bert_weights() {
  const auto source = formats::TensorSource::open(bert_folder());
  Weights out;
  for (const std::string& name : source.names()) out.push_back({name, source.read(name)});
  return out;
}

/// Every weight rounded to a 16-bit type: as that type, and widened back to float32.
std::pair<Weights, Weights> rounded(DType dtype) {
  Weights narrow, wide;
  for (const auto& [name, tensor] : bert_weights()) {
    Tensor bits(dtype, tensor.shape());
    const auto values = tensor.data<float>();
    for (std::size_t i = 0; i < values.size(); ++i) {
      bits.mutable_data<std::uint16_t>()[i] =
          dtype == DType::kBFloat16 ? float_to_bf16(values[i]) : float_to_half(values[i]);
    }
    wide.push_back({name, bits.to_float32()});
    narrow.push_back({name, std::move(bits)});
  }
  return {narrow, wide};
}

std::vector<std::byte> run_bits(const std::string& model) {
  const auto expected = formats::SafetensorsFile::open(bert_folder() + "/expected.safetensors");
  return Model::load(model, {.threads = 1}).run(golden_inputs(expected))[0].data;
}

TEST_F(Checkpoints, HalfAndBfloat16WeightsAreReadExactly) {
  write("config.json", bert_config().dump());
  for (const DType dtype : {DType::kFloat16, DType::kBFloat16}) {
    const auto [narrow, wide] = rounded(dtype);
    write_weights(narrow);
    const auto got = run_bits(path());
    write_weights(wide);
    EXPECT_EQ(got, run_bits(path())) << dtype_name(dtype);
  }
}

TEST_F(Checkpoints, ShardsGiveTheSameBits) {
  write("config.json", bert_config().dump());
  const Weights all = bert_weights();
  nlohmann::json map;
  for (std::size_t part = 0; part < 3; ++part) {
    Weights some;
    const std::string name = "model-0000" + std::to_string(part + 1) + "-of-00003.safetensors";
    for (std::size_t i = part; i < all.size(); i += 3) {
      some.push_back(all[i]);
      map[all[i].name] = name;
    }
    write_weights(some, name);
  }
  write("model.safetensors.index.json",
        nlohmann::json{{"metadata", nlohmann::json::object()}, {"weight_map", map}}.dump());
  EXPECT_EQ(run_bits(path()), run_bits(bert_folder()));
}

TEST_F(Checkpoints, APrefixOfTheTaskModelIsFound) {
  write("config.json", bert_config().dump());
  Weights prefixed = bert_weights();
  for (auto& [name, tensor] : prefixed) name = "bert." + name;
  write_weights(prefixed);
  EXPECT_EQ(run_bits(path()), run_bits(bert_folder()));
}

/// The packed plan against the reference operators on the imported graph, one sequence.
void check_against_reference(const std::string& folder, std::int64_t vocabulary) {
  const JsonDocument config = JsonDocument::parse_file(folder + "/config.json");
  const auto source = formats::TensorSource::open(folder);
  const ir::Graph graph = importers::import_hf(config.root(), source);
  std::vector<std::int64_t> ids;
  for (std::int64_t i = 0; i < 37; ++i) ids.push_back(2 + i * 131 % (vocabulary - 2));
  const std::vector<std::int64_t> ones(ids.size(), 1), zeros(ids.size(), 0);
  const Shape shape{1, static_cast<std::int64_t>(ids.size())};
  ops::Feeds feeds;
  for (const ir::ValueId input : graph.inputs()) {
    const std::string& name = graph.value(input).name;
    feeds.emplace(input, Tensor::from<std::int64_t>(shape, name == "input_ids"        ? ids
                                                           : name == "attention_mask" ? ones
                                                                                      : zeros));
  }
  const std::vector<ir::ValueId> wanted{graph.outputs()[0].value};
  const Tensor expected = ops::evaluate(graph, feeds, wanted).front();
  NamedTensor input{.name = "input_ids", .dtype = "int64", .shape = shape, .data = {}};
  input.data.resize(ids.size() * sizeof(std::int64_t));
  std::memcpy(input.data.data(), ids.data(), input.data.size());
  Model model = Model::load(folder, {.threads = 2});
  EXPECT_TRUE(model.summary().packed) << model.summary().plan_note;
  const std::vector<float> got = floats(model.run({input})[0]);
  ASSERT_EQ(got.size(), expected.elements());
  for (std::size_t i = 0; i < got.size(); ++i)
    ASSERT_NEAR(got[i], expected.data<float>()[i], 2e-5) << i;
}

TEST_F(Checkpoints, ActivationsOfTheConfigAreHonoured) {
  write_weights(bert_weights());
  std::set<std::vector<std::byte>> different;
  for (const char* act : {"gelu", "gelu_new", "relu", "silu"}) {
    nlohmann::json config = bert_config();
    config["hidden_act"] = act;
    write("config.json", config.dump());
    check_against_reference(path(), 1000);
    different.insert(run_bits(path()));
  }
  EXPECT_EQ(different.size(), 4u);
  nlohmann::json config = bert_config();
  config["hidden_act"] = "telu";
  write("config.json", config.dump());
  EXPECT_THROW(Model::load(path()), Error);
}

TEST_F(Checkpoints, SeveralLabelsGiveSeveralLogits) {
  const auto source = formats::TensorSource::open(data_folder() + "/models/bert-classifier");
  Weights weights;
  for (const std::string& name : source.names()) {
    if (!name.starts_with("classifier.")) weights.push_back({name, source.read(name)});
  }
  const Tensor row = source.read("classifier.weight"), bias = source.read("classifier.bias");
  Tensor rows(DType::kFloat32, {3, row.dim(1)}), biases(DType::kFloat32, {3});
  for (std::size_t l = 0; l < 3; ++l) {
    for (std::size_t i = 0; i < row.elements(); ++i) {
      rows.mutable_data<float>()[l * row.elements() + i] =
          row.data<float>()[i] * static_cast<float>(l + 1);
    }
    biases.mutable_data<float>()[l] = bias.data<float>()[0] * static_cast<float>(l + 1);
  }
  weights.push_back({"classifier.weight", rows});
  weights.push_back({"classifier.bias", biases});
  write_weights(weights);
  nlohmann::json config =
      nlohmann::json::parse(read_text_file(data_folder() + "/models/bert-classifier/config.json"));
  config["id2label"] = {{"0", "a"}, {"1", "b"}, {"2", "c"}};
  write("config.json", config.dump());
  const auto expected = formats::SafetensorsFile::open(
      data_folder() + "/models/bert-classifier/expected.safetensors");
  const NamedTensor logits = Model::load(path()).run(golden_inputs(expected))[0];
  ASSERT_EQ(logits.shape, (Shape{4, 3}));
  const std::vector<float> got = floats(logits);
  const Tensor wanted = expected.read("logits");
  for (std::size_t r = 0; r < 4; ++r) {
    for (std::size_t l = 0; l < 3; ++l) {
      EXPECT_NEAR(got[r * 3 + l], wanted.data<float>()[r] * static_cast<float>(l + 1), 6e-5);
    }
  }
}

TEST_F(Checkpoints, ModernbertConfigsThatNamePartsOctavoLacksAreRefused) {
  const std::string golden = data_folder() + "/models/modernbert-classifier-mean";
  const auto source = formats::TensorSource::open(golden);
  Weights weights;
  for (const std::string& name : source.names()) weights.push_back({name, source.read(name)});
  write_weights(weights);
  const auto refused = [&](const char* pointer, const nlohmann::json& value, const char* word) {
    nlohmann::json config = nlohmann::json::parse(read_text_file(golden + "/config.json"));
    config[nlohmann::json::json_pointer(pointer)] = value;
    write("config.json", config.dump());
    try {
      Model::load(path());
      ADD_FAILURE() << pointer << " was taken";
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(word), std::string::npos) << error.what();
    }
  };
  refused("/classifier_pooling", "max", "pools tokens");
  refused("/rope_parameters/sliding_attention/rope_type", "yarn", "rotary positions");
  refused("/rope_parameters", nlohmann::json::object(), "full_attention");
  refused("/layer_types/1", "chunked_attention", "unknown kind of layer");
  refused("/layer_types", {"full_attention"}, "a kind is wanted for every layer");
}

TEST_F(Checkpoints, WhatContradictsItselfIsRefused) {
  write_weights(bert_weights());
  const auto refused = [&](const std::string& key, const nlohmann::json& value, ErrorCode code,
                           const std::string& word) {
    nlohmann::json config = bert_config();
    config[key] = value;
    write("config.json", config.dump());
    try {
      Model::load(path());
      ADD_FAILURE() << key << " = " << value;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), code) << key << ": " << error.what();
      EXPECT_NE(std::string(error.what()).find(word), std::string::npos) << error.what();
    }
  };
  refused("num_attention_heads", 5, ErrorCode::kInvalidFile, "multiple");
  refused("hidden_size", 128, ErrorCode::kInvalidFile, "expected: [1000, 128]");
  refused("hidden_size", -1, ErrorCode::kInvalidFile, "hidden_size");
  refused("hidden_size", "many", ErrorCode::kInvalidFile, "hidden_size");
  refused("num_hidden_layers", 4, ErrorCode::kNotFound, "encoder.layer.3");
  refused("num_attention_heads", 0, ErrorCode::kInvalidFile, "num_attention_heads");
  refused("vocab_size", 1001, ErrorCode::kInvalidFile, "word_embeddings");
  refused("model_type", "t5", ErrorCode::kUnsupported, "modernbert");
  refused("position_embedding_type", "relative_key", ErrorCode::kUnsupported, "relative_key");
  refused("is_decoder", true, ErrorCode::kUnsupported, "is_decoder");
}

}  // namespace
}  // namespace octavo::parity
