// Every golden ONNX file lifts into the form of the packed plan and still computes what the
// reference implementation did.
#include <filesystem>

#include "fixtures.h"
#include "lifted.h"

namespace octavo::parity {
namespace {

namespace fs = std::filesystem;

/// "bert-eager-dynamo-opset18.onnx" belongs to models/bert: the longest folder name that starts it.
std::string family_of(const fs::path& models, const std::string& file) {
  std::string best;
  for (const auto& entry : fs::directory_iterator(models)) {
    const std::string name = entry.path().filename().string();
    if (file.starts_with(name + "-") && name.size() > best.size()) best = name;
  }
  return best;
}

void check_file(const fs::path& goldens, const fs::path& file) {
  SCOPED_TRACE(file.filename().string());
  const std::string family = family_of(goldens / "models", file.filename().string());
  ASSERT_FALSE(family.empty());
  const auto expected = formats::SafetensorsFile::open(
      (goldens / "models" / family / "expected.safetensors").string());
  const ir::Graph graph = importers::import_onnx(formats::read_onnx(file.string()));
  const ir::Graph lifted =
      check_lift(graph, {passes::make_batch(1, {1}), passes::make_batch(23, {5, 23, 17, 1}, 1)});
  EXPECT_EQ(nodes_of(lifted, "RotaryEmbedding", "ai.octavo") > 0, family.starts_with("modernbert"));

  passes::Batch batch;
  const Tensor ids = expected.read("input_ids");
  batch.batch = ids.dim(0);
  batch.sequence = ids.dim(1);
  batch.ids = ids.to_int64s();
  batch.mask = expected.read("attention_mask").to_int64s();
  if (expected.find("token_type_ids") != nullptr) {
    batch.types = expected.read("token_type_ids").to_int64s();
  }
  const Tensor got = outputs_of(lifted, batch)[0];
  const Tensor wanted = expected.read(lifted.outputs()[0].name).to_float32();
  EXPECT_LE(kept_difference(got, wanted, batch.mask), 2e-5);
}

TEST(Lift, GoldensOfTheRepository) {
  std::size_t files = 0;
  for (const auto& entry : fs::directory_iterator(fs::path(data_folder()) / "onnx")) {
    if (entry.path().extension() != ".onnx") continue;
    check_file(data_folder(), entry.path());
    ++files;
  }
  EXPECT_GE(files, 4u);
}

TEST(Lift, AllGoldens) {
  const fs::path goldens = fs::path(shared_folder()) / "goldens";
  OCTAVO_NEED(goldens / "onnx");
  std::size_t files = 0;
  for (const auto& entry : fs::directory_iterator(goldens / "onnx")) {
    if (entry.path().extension() != ".onnx") continue;
    check_file(goldens, entry.path());
    ++files;
  }
  EXPECT_EQ(files, 26u);
}

}  // namespace
}  // namespace octavo::parity
