#include "octavo/passage_search.h"

#include <chrono>

#include "base/thread_pool.h"
#include "eval/text.h"
#include "eval/text_embedder.h"
#include "eval/topk.h"
#include "octavo/text_input.h"

namespace octavo {
namespace {

eval::TextEmbedder timed_embedder(Embedder& embedder, double& seconds) {
  eval::TextEmbedder out = eval::text_embedder(embedder);
  out.embed = [embed = std::move(out.embed), &seconds](std::span<const std::string> texts,
                                                       std::string_view prompt,
                                                       eval::TextCounts& counts) {
    const auto start = std::chrono::steady_clock::now();
    std::vector<float> rows = embed(texts, prompt, counts);
    seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return rows;
  };
  return out;
}

eval::VectorSimilarity vector_similarity(Similarity similarity) {
  switch (similarity) {
    case Similarity::kCosine:
    case Similarity::kDot: return eval::VectorSimilarity::kDot;
    case Similarity::kEuclidean: return eval::VectorSimilarity::kEuclidean;
    case Similarity::kManhattan: return eval::VectorSimilarity::kManhattan;
  }
  return eval::VectorSimilarity::kDot;
}

std::vector<const std::string*> pointers(std::span<const std::string> texts) {
  std::vector<const std::string*> out;
  out.reserve(texts.size());
  for (const std::string& text : texts) out.push_back(&text);
  return out;
}

}  // namespace

std::vector<Passage> read_passages(const std::string& path) {
  TextReader reader({path}, TextFormat::kAuto);
  std::vector<Passage> out;
  TextRecord record;
  while (reader.next(record)) {
    Passage passage;
    passage.title = record.title.value_or("");
    passage.text = passage.title.empty() ? record.require_text() : record.text.value_or("");
    if (eval::strip(passage.title + " " + passage.text).empty()) continue;
    passage.id = record.id_key.empty() ? std::to_string(record.line) : record.id;
    out.push_back(std::move(passage));
  }
  return out;
}

PassageSearchResult search_passages(Embedder& embedder, std::span<const Passage> passages,
                                    std::span<const std::string> queries,
                                    const PassageSearchOptions& options) {
  PassageSearchResult out;
  const eval::TextEmbedder model = timed_embedder(embedder, out.embed_seconds);
  const auto embed = [&](std::string_view stage, std::string_view prompt,
                         std::span<const std::string> texts, const std::string& cache) {
    auto done = eval::embed_texts(model, pointers(texts),
                                  {stage, prompt, cache, options.batch_size, options.progress});
    if (embedder.similarity() == Similarity::kCosine) eval::normalize_rows(done.rows, model.dims);
    out.cached += done.cached;
    out.tokens += done.tokens;
    return done;
  };
  std::vector<std::string> texts;
  texts.reserve(passages.size());
  for (const Passage& passage : passages)
    texts.emplace_back(eval::strip(passage.title + " " + passage.text));
  const auto documents = embed("passages", options.document_prompt, texts, options.cache_directory);
  const auto questions = embed("queries", options.query_prompt, queries, {});
  out.truncated_passages = documents.truncated;
  out.truncated_queries = questions.truncated;
  out.similarity = model.similarity;

  ThreadPool pool(model.threads);
  const auto found = eval::top_k(questions.rows, documents.rows, model.dims, options.top_k,
                                 vector_similarity(embedder.similarity()), pool);
  for (const auto& list : found) {
    auto& hits = out.hits.emplace_back();
    for (const eval::Hit& hit : list) hits.push_back({hit.index, hit.score});
  }
  return out;
}

}  // namespace octavo
