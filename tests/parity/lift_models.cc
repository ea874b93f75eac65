// The published ONNX models lift, and compute what they did.
#include <filesystem>

#include "fixtures.h"
#include "lifted.h"

namespace octavo::parity {
namespace {

void check_model(const std::string& name, const std::vector<std::string>& outputs,
                 std::size_t layers) {
  const std::string file = models_folder() + "/onnx/" + name + "/model.onnx";
  OCTAVO_NEED(file);
  ir::Graph graph = importers::import_onnx(formats::read_onnx(file));
  passes::keep_outputs(graph, outputs);
  const ir::Graph lifted = check_lift(graph, {passes::make_batch(6, {6, 3})});
  EXPECT_EQ(nodes_of(lifted, "Attention", "ai.octavo"), layers);
}

TEST(LiftModels, BgeSmall) { check_model("bge-small-en-v1.5", {}, 12); }
TEST(LiftModels, E5Small) { check_model("e5-small-v2", {}, 12); }
TEST(LiftModels, AllMiniLmWithItsPooler) { check_model("all-minilm-l6-v2", {}, 6); }
TEST(LiftModels, MiniLmStoredAsInt8) { check_model("minilm-opset17", {}, 6); }
TEST(LiftModels, ParaphraseMiniLmTokens) {
  check_model("paraphrase-MiniLM-L3-v2", {"onnx::Shape_422"}, 3);
}

}  // namespace
}  // namespace octavo::parity
