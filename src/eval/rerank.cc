#include <algorithm>
#include <optional>
#include <unordered_map>

#include "eval/metrics.h"
#include "eval/retrieval.h"
#include "octavo/error.h"

namespace octavo::eval {
namespace {

using TextById = std::unordered_map<std::string_view, const std::string*>;

TextById texts_by_id(std::span<const TextItem> items) {
  TextById out;
  for (const TextItem& item : items) out.emplace(item.id, &item.text);
  return out;
}

const std::string& text_of(const TextById& texts, const std::string& id, const char* what,
                           const std::string& run_name) {
  const auto found = texts.find(id);
  if (found != texts.end()) return *found->second;
  throw Error(ErrorCode::kInvalidFile,
              {.message = std::string("the run names a ") + what + " that the data set has not",
               .file = run_name,
               .place = std::string(what) + " '" + id + "'",
               .expected = std::string("an _id of the data set"),
               .fix = "give a run of this data set"});
}

// The judged queries of the run with their best candidates, in the order of trec_eval.
RetrievalRun best_candidates(const RetrievalRun& run, const Qrels& qrels,
                             const RerankOptions& options) {
  RetrievalRun out;
  for (const QueryRun& query : run) {
    if (!qrels.contains(query.query)) continue;
    out.push_back(query);
    std::vector<ScoredDocument>& documents = out.back().documents;
    if (options.ignore_identical_ids)
      std::erase_if(documents, [&](const ScoredDocument& d) { return d.id == query.query; });
    for (ScoredDocument& document : documents) document.score = metric_score(document.score);
    sort_as_trec_eval(documents);
    documents.resize(std::min(documents.size(), options.top_n));
  }
  return out;
}

// Scores the documents of one query, through the cache.
class QueryScorer {
 public:
  QueryScorer(const PairScorer& scorer, const RerankOptions& options)
      : scorer_(scorer), options_(options) {
    if (!options.cache_directory.empty()) cache_.emplace(options.cache_directory, scorer.digest, 1);
  }

  void score(std::string_view query, std::span<const std::string* const> texts,
             std::vector<ScoredDocument>& documents, RerankResult& counts) {
    std::vector<std::size_t> missing;
    std::vector<EmbeddingCache::Key> keys(texts.size());
    for (std::size_t i = 0; i < texts.size(); ++i) {
      if (cache_) keys[i] = EmbeddingCache::key(query, *texts[i]);
      if (cache_ && cache_->find(keys[i], std::span(&documents[i].score, 1))) {
        ++counts.cached;
      } else {
        missing.push_back(i);
      }
    }
    const std::size_t batch_size = std::max<std::size_t>(options_.batch_size, 1);
    for (std::size_t begin = 0; begin < missing.size(); begin += batch_size) {
      run_batch(query, texts,
                std::span(missing).subspan(begin, std::min(batch_size, missing.size() - begin)),
                keys, documents, counts);
    }
  }

 private:
  void run_batch(std::string_view query, std::span<const std::string* const> texts,
                 std::span<const std::size_t> which, std::span<const EmbeddingCache::Key> keys,
                 std::vector<ScoredDocument>& documents, RerankResult& counts) {
    std::vector<std::string> batch;
    std::vector<EmbeddingCache::Key> batch_keys;
    for (const std::size_t i : which) {
      batch.push_back(*texts[i]);
      batch_keys.push_back(keys[i]);
    }
    TextCounts counted;
    const std::vector<float> scores = scorer_.score(query, batch, counted);
    if (scores.size() != batch.size()) {
      throw Error(ErrorCode::kInternal,
                  {.message = "the reranker gave another number of scores than documents",
                   .expected = std::to_string(batch.size()),
                   .found = std::to_string(scores.size())});
    }
    for (std::size_t i = 0; i < which.size(); ++i) documents[which[i]].score = scores[i];
    if (cache_) cache_->append(batch_keys, scores);
    counts.tokens += counted.tokens;
    counts.truncated += counted.truncated;
  }

  const PairScorer& scorer_;
  const RerankOptions& options_;
  std::optional<EmbeddingCache> cache_;
};

}  // namespace

RerankResult evaluate_rerank(const PairScorer& scorer, const BeirDataset& data,
                             const RetrievalRun& candidates, const std::string& run_name,
                             const RerankOptions& options) {
  RerankResult out;
  out.run = best_candidates(candidates, data.qrels, options);
  if (out.run.empty() || options.top_n == 0) {
    throw Error(ErrorCode::kInvalidFile,
                {.message = "no query of the run is judged",
                 .file = run_name,
                 .expected = "query ids of the data set in the first column",
                 .found = std::to_string(candidates.size()) + " other queries",
                 .fix = "give a run of this data set and split"});
  }
  out.candidates = evaluate(out.run, data.qrels);
  const TextById documents = texts_by_id(data.documents), queries = texts_by_id(data.queries);
  std::size_t total = 0;
  for (const QueryRun& query : out.run) total += query.documents.size();

  QueryScorer query_scorer(scorer, options);
  report_progress(options.progress, "pairs", 0, total, 0);
  for (QueryRun& query : out.run) {
    std::vector<const std::string*> texts;
    for (const ScoredDocument& document : query.documents) {
      texts.push_back(&text_of(documents, document.id, "document", run_name));
    }
    query_scorer.score(text_of(queries, query.query, "query", run_name), texts, query.documents,
                       out);
    for (ScoredDocument& document : query.documents) document.score = metric_score(document.score);
    sort_as_trec_eval(query.documents);
    out.pairs += query.documents.size();
    report_progress(options.progress, "pairs", out.pairs, total, out.tokens);
  }
  out.scores = evaluate(out.run, data.qrels);
  out.queries = out.scores.per_query.size();
  // Queries left out before, so that the counts are of the run as given.
  for (RankingScores* scores : {&out.scores, &out.candidates}) {
    scores->queries_without_judgements = candidates.size() - out.run.size();
  }
  return out;
}

}  // namespace octavo::eval
