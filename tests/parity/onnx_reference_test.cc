// ONNX files of torch's exporters, imported and run op by op with the reference implementations,
// against what transformers computed for the same weights.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>

#include "formats/onnx_reader.h"
#include "formats/safetensors.h"
#include "importers/onnx.h"
#include "ops/evaluate.h"

namespace octavo {
namespace {

namespace fs = std::filesystem;

// "bert-eager-dynamo-opset18.onnx" belongs to models/bert: the longest folder name that starts it.
std::string model_of(const fs::path& models, const std::string& file) {
  std::string best;
  for (const auto& entry : fs::directory_iterator(models)) {
    const std::string name = entry.path().filename().string();
    if (file.starts_with(name + "-") && name.size() > best.size()) best = name;
  }
  return best;
}

void compare(const fs::path& goldens, const fs::path& file) {
  SCOPED_TRACE(file.filename().string());
  const fs::path models = goldens / "models";
  const std::string family = model_of(models, file.filename().string());
  ASSERT_FALSE(family.empty());
  const auto expected =
      formats::SafetensorsFile::open((models / family / "expected.safetensors").string());
  const ir::Graph graph = importers::import_onnx(formats::read_onnx(file.string()));
  graph.verify();
  ops::Feeds feeds;
  for (const ir::ValueId input : graph.inputs()) {
    const Tensor stored = expected.read(graph.value(input).name);  // int32 in the file
    feeds[input] = Tensor::from<std::int64_t>(stored.shape(), stored.to_int64s());
  }
  ASSERT_EQ(graph.outputs().size(), 1u);
  const auto& output = graph.outputs()[0];
  const Tensor wanted = expected.read(output.name).to_float32();
  const Tensor got = ops::evaluate(graph, feeds, std::vector{output.value})[0];
  ASSERT_EQ(got.dtype(), DType::kFloat32);
  ASSERT_EQ(got.shape(), wanted.shape());
  // Padded positions are nobody's business; logits have none.
  const auto mask = expected.read("attention_mask").to_int64s();
  const bool tokens = got.rank() == 3;
  const std::size_t width =
      static_cast<std::size_t>(tokens ? got.dim(2) : static_cast<std::int64_t>(got.elements()));
  double worst = 0;
  for (std::size_t i = 0; i < got.elements(); ++i) {
    if (tokens && mask[i / width] == 0) continue;
    const double difference = std::fabs(static_cast<double>(got.data<float>()[i]) -
                                        static_cast<double>(wanted.data<float>()[i]));
    worst = std::max(worst, std::isnan(difference) ? INFINITY : difference);
  }
  EXPECT_LE(worst, 2e-5);
  testing::Test::RecordProperty(file.stem().string(), std::to_string(worst));
}

std::size_t compare_all(const fs::path& goldens) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(goldens / "onnx")) {
    if (entry.path().extension() == ".onnx") files.push_back(entry.path());
  }
  std::ranges::sort(files);
  for (const fs::path& file : files) compare(goldens, file);
  return files.size();
}

TEST(OnnxReference, GoldensOfTheRepository) { EXPECT_GE(compare_all("tests/data"), 2u); }

TEST(OnnxReference, AllGoldens) {
  const char* given = std::getenv("OCTAVO_SHARED");
  const fs::path goldens = fs::path(given != nullptr ? given : "../shared") / "goldens";
  if (!fs::is_directory(goldens)) {
    if (std::getenv("CI") != nullptr) FAIL() << goldens << " is absent";
    GTEST_SKIP() << "left out: " << goldens << " is absent";
  }
  EXPECT_GE(compare_all(goldens), 26u);
}

}  // namespace
}  // namespace octavo
