#include "eval/text_embedder.h"

#include <algorithm>

namespace octavo::eval {

TextEmbedder text_embedder(Embedder& embedder) {
  TextEmbedder out;
  out.dims = embedder.dimensions();
  out.digest = embedder.digest();
  out.similarity = similarity_name(embedder.similarity());
  out.threads = embedder.threads();
  out.embed = [&embedder](std::span<const std::string> texts, std::string_view prompt,
                          TextCounts& counts) {
    EmbedStats stats;
    std::vector<float> rows = embedder.embed(texts, prompt, &stats);
    counts.tokens += stats.tokens;
    counts.truncated += stats.truncated;
    return rows;
  };
  out.count_truncated = [&embedder](std::span<const std::string> texts, std::string_view prompt) {
    const EncodeOptions options{.max_length = embedder.max_length()};
    return static_cast<std::size_t>(
        std::count_if(texts.begin(), texts.end(), [&](const std::string& text) {
          return embedder.tokenizer().encode(std::string(prompt) + text, options).truncated;
        }));
  };
  return out;
}

}  // namespace octavo::eval
