#include "eval/retrieval.h"

#include <algorithm>

#include "eval/metrics.h"
#include "eval/topk.h"
#include "octavo/error.h"

namespace octavo::eval {
namespace {

std::vector<const std::string*> texts_of(std::span<const TextItem> items) {
  std::vector<const std::string*> out;
  out.reserve(items.size());
  for (const TextItem& item : items) out.push_back(&item.text);
  return out;
}

VectorSimilarity vector_similarity(std::string_view name) {
  if (name == "cosine" || name == "dot")
    return VectorSimilarity::kDot;  // cosine: of rows of length one
  if (name == "euclidean") return VectorSimilarity::kEuclidean;
  if (name == "manhattan") return VectorSimilarity::kManhattan;
  throw Error(ErrorCode::kUnsupported, {.message = "the model's similarity is not known here",
                                        .expected = "cosine, dot, euclidean or manhattan",
                                        .found = "'" + std::string(name) + "'"});
}

QueryRun make_query_run(const TextItem& query, std::span<const Hit> hits,
                        std::span<const TextItem> documents, const RetrievalOptions& options) {
  QueryRun out{query.id, {}};
  for (const Hit& hit : hits) {
    if (out.documents.size() == options.top_k) break;
    const std::string& id = documents[hit.index].id;
    if (options.ignore_identical_ids && id == query.id) continue;
    out.documents.push_back({id, hit.score});
  }
  return out;
}

}  // namespace

RetrievalResult evaluate_retrieval(const TextEmbedder& embedder, const BeirDataset& data,
                                   const RetrievalOptions& options) {
  const VectorSimilarity similarity = vector_similarity(embedder.similarity);
  if (options.top_k == 0)
    throw Error(ErrorCode::kInvalidArgument, "top_k is 0: nothing would be found");
  const auto embed = [&](std::string_view stage, std::string_view prompt,
                         std::span<const TextItem> items) {
    EmbeddedTexts out =
        embed_texts(embedder, texts_of(items),
                    {stage, prompt, options.cache_directory, options.batch_size, options.progress});
    if (embedder.similarity == "cosine") normalize_rows(out.rows, embedder.dims);
    return out;
  };
  const EmbeddedTexts queries = embed("queries", options.query_prompt, data.queries);
  const EmbeddedTexts documents = embed("documents", options.document_prompt, data.documents);

  ThreadPool pool(embedder.threads);
  const std::size_t k = options.top_k + (options.ignore_identical_ids ? 1 : 0);
  const auto hits = top_k(
      queries.rows, documents.rows, embedder.dims, k, similarity, pool, [&](std::size_t done) {
        report_progress(options.progress, "search", done, data.queries.size(), 0);
        return true;
      });

  RetrievalResult out;
  for (std::size_t q = 0; q < hits.size(); ++q) {
    out.run.push_back(make_query_run(data.queries[q], hits[q], data.documents, options));
  }
  out.scores = evaluate(out.run, data.qrels);
  out.similarity = embedder.similarity;
  out.documents = data.documents.size();
  out.queries = out.scores.per_query.size();
  out.judgements = data.judgements;
  out.unjudged_queries = data.unjudged_queries;
  out.missing_queries = data.missing_queries;
  out.missing_documents = data.missing_documents;
  out.truncated_documents = documents.truncated;
  out.truncated_queries = queries.truncated;
  out.cached = documents.cached + queries.cached;
  out.tokens = documents.tokens + queries.tokens;
  return out;
}

StsResult evaluate_sts(const TextEmbedder& embedder, std::span<const StsPair> pairs,
                       const StsOptions& options) {
  if (pairs.empty()) throw Error(ErrorCode::kInvalidFile, "there is no sentence pair to evaluate");
  std::vector<const std::string*> sentences;
  for (const StsPair& pair : pairs) sentences.insert(sentences.end(), {&pair.first, &pair.second});
  std::sort(sentences.begin(), sentences.end(),
            [](const auto* a, const auto* b) { return *a < *b; });
  sentences.erase(std::unique(sentences.begin(), sentences.end(),
                              [](const auto* a, const auto* b) { return *a == *b; }),
                  sentences.end());
  const EmbeddedTexts embedded = embed_texts(
      embedder, sentences,
      {"sentences", options.prompt, options.cache_directory, options.batch_size, options.progress});

  std::vector<float> first, second;
  std::vector<double> human;
  const auto add_row = [&](const std::string& text, std::vector<float>& rows) {
    const auto at =
        std::lower_bound(sentences.begin(), sentences.end(), text,
                         [](const std::string* a, const std::string& b) { return *a < b; });
    const auto begin = embedded.rows.begin() +
                       (at - sentences.begin()) * static_cast<std::ptrdiff_t>(embedder.dims);
    rows.insert(rows.end(), begin, begin + static_cast<std::ptrdiff_t>(embedder.dims));
  };
  for (const StsPair& pair : pairs) {
    add_row(pair.first, first);
    add_row(pair.second, second);
    human.push_back(pair.score);
  }
  const PairSimilarities model = pair_similarities(first, second, embedder.dims);
  StsResult out;
  out.metrics = {{"cosine_spearman", spearman(model.cosine, human)},
                 {"cosine_pearson", pearson(model.cosine, human)},
                 {"manhattan_spearman", spearman(model.manhattan, human)},
                 {"manhattan_pearson", pearson(model.manhattan, human)},
                 {"euclidean_spearman", spearman(model.euclidean, human)},
                 {"euclidean_pearson", pearson(model.euclidean, human)}};
  out.pairs = pairs.size();
  out.truncated = embedded.truncated;
  out.cached = embedded.cached;
  out.tokens = embedded.tokens;
  return out;
}

}  // namespace octavo::eval
