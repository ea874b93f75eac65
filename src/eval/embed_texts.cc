#include "eval/embed_texts.h"

#include <algorithm>
#include <optional>

#include "octavo/error.h"

namespace octavo::eval {
namespace {

std::vector<std::string> copy_texts(std::span<const std::string* const> texts,
                                    std::span<const std::size_t> which) {
  std::vector<std::string> out;
  out.reserve(which.size());
  for (const std::size_t index : which) out.push_back(*texts[index]);
  return out;
}

}  // namespace

void report_progress(const EvaluationProgress& progress, std::string_view stage, std::size_t done,
                     std::size_t total, std::size_t tokens) {
  if (progress && !progress(stage, done, total, tokens)) {
    throw Error(
        ErrorCode::kCancelled,
        {.message = "the evaluation was stopped",
         .place = std::string(stage) + ", " + std::to_string(done) + " of " + std::to_string(total),
         .fix = "run it again with the same cache to go on from here"});
  }
}

EmbeddedTexts embed_texts(const TextEmbedder& embedder, std::span<const std::string* const> texts,
                          const EmbedJob& job) {
  const std::size_t dims = embedder.dims;
  const std::size_t batch_size = std::max<std::size_t>(job.batch_size, 1);
  EmbeddedTexts out;
  out.rows.resize(texts.size() * dims);
  const auto row = [&](std::size_t index) {
    return std::span(out.rows).subspan(index * dims, dims);
  };

  std::optional<EmbeddingCache> cache;
  if (!job.cache_directory.empty()) cache.emplace(job.cache_directory, embedder.digest, dims);
  std::vector<std::size_t> missing, known;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const bool found = cache && cache->find(EmbeddingCache::key(job.prompt, *texts[i]), row(i));
    (found ? known : missing).push_back(i);
  }
  out.cached = known.size();
  if (embedder.count_truncated) {
    for (std::size_t begin = 0; begin < known.size(); begin += batch_size) {
      const auto which =
          std::span(known).subspan(begin, std::min(batch_size, known.size() - begin));
      out.truncated += embedder.count_truncated(copy_texts(texts, which), job.prompt);
    }
  }

  // Texts of like length share a batch; the longest come first, so that memory peaks at the start.
  std::stable_sort(missing.begin(), missing.end(), [&](std::size_t a, std::size_t b) {
    return texts[a]->size() > texts[b]->size();
  });
  report_progress(job.progress, job.stage, known.size(), texts.size(), 0);
  for (std::size_t begin = 0; begin < missing.size(); begin += batch_size) {
    const auto which =
        std::span(missing).subspan(begin, std::min(batch_size, missing.size() - begin));
    TextCounts counts;
    const std::vector<std::string> batch = copy_texts(texts, which);
    const std::vector<float> rows = embedder.embed(batch, job.prompt, counts);
    if (rows.size() != which.size() * dims) {
      throw Error(ErrorCode::kInternal,
                  {.message = "the model gave another number of values than texts ask for",
                   .expected = std::to_string(which.size() * dims),
                   .found = std::to_string(rows.size())});
    }
    std::vector<EmbeddingCache::Key> keys;
    for (std::size_t i = 0; i < which.size(); ++i) {
      std::copy_n(rows.begin() + static_cast<std::ptrdiff_t>(i * dims), dims,
                  row(which[i]).begin());
      if (cache) keys.push_back(EmbeddingCache::key(job.prompt, batch[i]));
    }
    if (cache) cache->append(keys, rows);
    out.tokens += counts.tokens;
    out.truncated += counts.truncated;
    report_progress(job.progress, job.stage, known.size() + begin + which.size(), texts.size(),
                    out.tokens);
  }
  return out;
}

}  // namespace octavo::eval
