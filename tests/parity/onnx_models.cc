// The published ONNX files of real models, text to vector, against vectors that onnxruntime made.
// They come through Maven, so this is a test of the `models` tier.
#include "golden_embeddings.h"
#include "octavo/error.h"

namespace octavo::parity {
namespace {

std::string onnx(const std::string& name) {
  return models_folder() + "/onnx/" + name + "/model.onnx";
}

TEST(OnnxModels, MiniLm) {
  OCTAVO_NEED(onnx("all-minilm-l6-v2"));
  check_embeddings(onnx("all-minilm-l6-v2"), "all-MiniLM-L6-v2",
                   {.pooling = Pooling::kMean, .max_length = 256});
}

TEST(OnnxModels, BgeSmall) {
  OCTAVO_NEED(onnx("bge-small-en-v1.5"));
  check_embeddings(onnx("bge-small-en-v1.5"), "bge-small-en-v1.5", {.pooling = Pooling::kCls});
}

TEST(OnnxModels, E5Small) {
  OCTAVO_NEED(onnx("e5-small-v2"));
  check_embeddings(onnx("e5-small-v2"), "e5-small-v2", {.pooling = Pooling::kMean});
}

TEST(OnnxModels, FloatModelsRunPacked) {
  for (const char* name : {"all-minilm-l6-v2", "bge-small-en-v1.5", "e5-small-v2"}) {
    OCTAVO_NEED(onnx(name));
    const ModelSummary summary = Model::load(onnx(name)).summary();
    EXPECT_TRUE(summary.packed) << name << ": " << summary.plan_note;
  }
}

TEST(OnnxModels, ABareFileMustSayItsPooling) {
  OCTAVO_NEED(onnx("bge-small-en-v1.5"));
  try {
    Embedder::load(onnx("bge-small-en-v1.5"));
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    EXPECT_NE(error.info().fix.find("--pooling"), std::string::npos);
  }
}

}  // namespace
}  // namespace octavo::parity
