// Texts and vectors of tests/data/embeddings, and the comparison with them.
#pragma once

#include "base/json.h"
#include "fixtures.h"
#include "octavo/embedder.h"

namespace octavo::parity {

inline std::vector<std::string> golden_texts() {
  const JsonDocument document = JsonDocument::parse_file(data_folder() + "/embeddings/texts.json");
  std::vector<std::string> out;
  for (const JsonValue text : document.root().elements()) out.emplace_back(text.as_string());
  return out;
}

/// Smallest cosine between our rows and the golden ones.
inline double smallest_cosine(const std::vector<float>& rows, const Tensor& expected) {
  const auto width = static_cast<std::size_t>(expected.dim(1)),
             count = static_cast<std::size_t>(expected.dim(0));
  EXPECT_EQ(rows.size(), expected.elements());
  double smallest = 1;
  for (std::size_t r = 0; r < count; ++r) {
    double dot = 0, a = 0, b = 0;
    for (std::size_t i = r * width; i < (r + 1) * width; ++i) {
      const double x = rows[i], y = expected.data<float>()[i];
      dot += x * y;
      a += x * x;
      b += y * y;
    }
    const double cosine = dot / std::sqrt(a * b);
    smallest = std::isnan(cosine) ? -1 : std::min(smallest, cosine);
  }
  return smallest;
}

inline void check_embeddings(const std::string& model, const std::string& key,
                             const EmbedderOptions& options) {
  const auto file =
      formats::SafetensorsFile::open(data_folder() + "/embeddings/expected.safetensors");
  Embedder embedder = Embedder::load(model, options);
  EmbedStats stats;
  const std::vector<float> rows = embedder.embed(golden_texts(), {}, &stats);
  EXPECT_GE(smallest_cosine(rows, file.read(key)), 0.999999) << model;
  EXPECT_EQ(stats.truncated, 1u);
}

}  // namespace octavo::parity
