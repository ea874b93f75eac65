// Texts to vectors for an evaluation: in batches, through the cache, with progress.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "eval/embedding_cache.h"
#include "octavo/evaluation.h"

namespace octavo::eval {

/// What a model counted while it ran.
struct TextCounts {
  std::size_t tokens = 0, truncated = 0;
};

/// Row-major [texts.size(), dims]; adds to `counts`.
using EmbedFunction = std::function<std::vector<float>(
    std::span<const std::string> texts, std::string_view prompt, TextCounts& counts)>;
/// How many of the texts are longer than the model's maximum, without running it.
using CountTruncated =
    std::function<std::size_t(std::span<const std::string> texts, std::string_view prompt)>;

/// An embedder as an evaluation sees it.
struct TextEmbedder {
  std::size_t dims = 0;
  std::string digest;  // names the model in the cache
  std::string similarity = "cosine";
  int threads = 1;
  EmbedFunction embed;
  CountTruncated count_truncated;
};

struct EmbedJob {
  std::string_view stage;  // for the progress
  std::string_view prompt;
  std::string cache_directory;  // empty: none
  std::size_t batch_size = 256;
  EvaluationProgress progress;
};

struct EmbeddedTexts {
  std::vector<float> rows;  // [texts, dims], in the order of the texts
  std::size_t tokens = 0, truncated = 0, cached = 0;
};

/// Runs what the cache does not hold, longest texts first, and adds each batch to the cache before
/// the next begins.
EmbeddedTexts embed_texts(const TextEmbedder& embedder, std::span<const std::string* const> texts,
                          const EmbedJob& job);

/// Calls `progress` when there is one; Error(kCancelled) when it says stop.
void report_progress(const EvaluationProgress& progress, std::string_view stage, std::size_t done,
                     std::size_t total, std::size_t tokens);

}  // namespace octavo::eval
