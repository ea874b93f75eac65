// Real models end to end, text to vector, against vectors that onnxruntime made.
#include "golden_embeddings.h"

namespace octavo::parity {
namespace {

TEST(Embeddings, MiniLmFromItsDirectory) {
  const std::string model = models_folder() + "/all-MiniLM-L6-v2";
  OCTAVO_NEED(model);
  check_embeddings(model, "all-MiniLM-L6-v2", {});
}

TEST(Embeddings, TheSameTextGivesTheSameBitsAloneAndInAnyBatch) {
  const std::string model = models_folder() + "/all-MiniLM-L6-v2";
  OCTAVO_NEED(model);
  const std::vector<std::string> texts = golden_texts();
  Embedder one = Embedder::load(model, {.runtime = {.threads = 1}});
  Embedder two = Embedder::load(model, {.runtime = {.threads = 2}});
  const std::vector<float> batch = two.embed(texts);
  EXPECT_EQ(batch, one.embed(texts));
  const std::size_t dims = one.dimensions();
  for (std::size_t i = 0; i < texts.size(); i += 7) {
    for (Embedder* embedder : {&one, &two}) {
      const std::vector<float> alone = embedder->embed(std::span(&texts[i], 1));
      EXPECT_EQ(std::memcmp(alone.data(), batch.data() + i * dims, dims * sizeof(float)), 0) << i;
    }
  }
  const std::vector<float> tail = two.embed(std::span(texts).subspan(50));
  EXPECT_EQ(std::memcmp(tail.data(), batch.data() + 50 * dims, tail.size() * sizeof(float)), 0);
}

TEST(Embeddings, MatryoshkaCutsAndNormalisesAgain) {
  const std::string model = models_folder() + "/all-MiniLM-L6-v2";
  OCTAVO_NEED(model);
  const std::vector<std::string> texts = {"a short text", "another one"};
  Embedder whole = Embedder::load(model);
  Embedder cut = Embedder::load(model, {.dimensions = 64});
  const std::vector<float> full = whole.embed(texts), part = cut.embed(texts);
  ASSERT_EQ(part.size(), 128u);
  for (std::size_t r = 0; r < 2; ++r) {
    double norm = 0;
    for (std::size_t i = 0; i < 64; ++i)
      norm += std::pow(static_cast<double>(full[r * 384 + i]), 2);
    for (std::size_t i = 0; i < 64; ++i)
      EXPECT_NEAR(part[r * 64 + i], full[r * 384 + i] / std::sqrt(norm), 1e-6);
  }
}

}  // namespace
}  // namespace octavo::parity
