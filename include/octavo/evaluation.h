// Quality of a model on public data sets: retrieval (BEIR directories), reranking (candidates of a
// TREC run file) and semantic textual similarity, with the numbers that trec_eval,
// pytrec-eval-terrier and MTEB give. The exact definitions are in src/eval/README.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace octavo {

class Embedder;
class Reranker;

/// Values by name, in MTEB's spelling: "ndcg_at_10", "map_at_1000", "mrr_at_10", "recall_at_100",
/// "precision_at_10", "hit_rate_at_10" (k in 1, 3, 5, 10, 20, 100, 1000), and trec_eval's uncut
/// "map" and "mrr".
using MetricValues = std::map<std::string, double>;

struct ScoredDocument {
  std::string id;
  float score = 0;
};

/// The documents found for one query.
struct QueryRun {
  std::string query;
  std::vector<ScoredDocument> documents;
};

/// What a system answered to all queries; neither query ids nor the documents of a query repeat.
using RetrievalRun = std::vector<QueryRun>;

/// Metrics of one query, in the order of `RankingScores::names`.
struct QueryScores {
  std::string query;
  std::vector<double> values;
};

struct RankingScores {
  MetricValues mean;                   // over the evaluated queries; all zero when there is none
  std::vector<std::string> names;      // what `per_query` holds
  std::vector<QueryScores> per_query;  // evaluated queries, in the order of the run
  // A query takes part when the run and the judgements both know it, as with pytrec_eval and MTEB.
  // The others do not count as zero; they are counted here.
  std::size_t queries_without_judgements = 0;  // in the run alone
  std::size_t queries_without_results = 0;     // in the judgements alone
};

/// Progress within a stage ("queries", "documents", "search", "sentences", "pairs"): items done and
/// in all, those from the cache included, and tokens run through the model so far in this stage.
/// Return false to stop (Error kCancelled); what was done is in the cache by then.
using EvaluationProgress = std::function<bool(std::string_view stage, std::size_t done,
                                              std::size_t total, std::size_t tokens)>;

struct RetrievalOptions {
  std::string split = "test";     // qrels/<split>.tsv
  std::string query_prompt{};     // put before every query
  std::string document_prompt{};  // put before every document
  std::size_t top_k = 1000;       // documents kept for a query
  std::string
      cache_directory{};  // of embeddings, shared by all models and data sets; empty: no cache
  bool ignore_identical_ids =
      false;  // drop the document that has the query's id (MTEB: ArguAna, Quora, ...)
  std::size_t batch_size = 256;  // texts given to the model, and written to the cache, at a time
  EvaluationProgress progress{};
};

struct RetrievalResult {
  RankingScores scores;
  RetrievalRun run;            // best first, ties by descending document id
  std::string similarity;      // "cosine", "dot", "euclidean" or "manhattan", as the model says
  std::size_t documents = 0;   // in the corpus
  std::size_t queries = 0;     // evaluated
  std::size_t judgements = 0;  // lines of the qrels
  std::size_t unjudged_queries = 0;     // in queries.jsonl, without a judgement: not run
  std::size_t missing_queries = 0;      // judged, but not in queries.jsonl
  std::size_t missing_documents = 0;    // judgements of documents that the corpus does not hold
  std::size_t truncated_documents = 0;  // longer than the model's maximum
  std::size_t truncated_queries = 0;
  std::size_t cached = 0;  // texts whose embedding came from the cache
  std::size_t tokens = 0;  // run through the model
};

/// Runs all judged queries of a BEIR directory (corpus.jsonl, queries.jsonl, qrels/<split>.tsv)
/// against all of its documents, exactly. The result does not depend on the number of threads, on
/// the batch size or on the cache. Errors: kNotFound (a file or the split is missing), kInvalidFile
/// (with file and line), kCancelled.
RetrievalResult evaluate_retrieval(Embedder& embedder, const std::string& directory,
                                   const RetrievalOptions& options = {});

/// What a data set is called: the last part of its path, "scifact" of "data/scifact/".
std::string dataset_name(const std::string& directory);

/// SHA-256 of what evaluate_retrieval() reads of a directory. Errors: kNotFound.
std::string dataset_digest(const std::string& directory, const std::string& split = "test");

struct StsOptions {
  std::string prompt{};  // put before both sentences
  std::string cache_directory{};
  std::size_t batch_size = 256;
  EvaluationProgress progress{};
};

struct StsResult {
  /// {cosine, manhattan, euclidean}_{spearman, pearson}: distances negated. MTEB's main score is
  /// cosine_spearman.
  MetricValues metrics;
  std::size_t pairs = 0;
  std::size_t truncated = 0;  // of the distinct sentences
  std::size_t cached = 0;
  std::size_t tokens = 0;
};

/// `file`: the STS benchmark's tab-separated form, score in column 5, sentences in columns 6 and 7,
/// no header, no quoting.
StsResult evaluate_sts(Embedder& embedder, const std::string& file, const StsOptions& options = {});

struct RerankOptions {
  std::string split = "test";
  std::size_t top_n = 100;  // candidates of a query that are scored; the others are dropped
  bool ignore_identical_ids = false;  // as in RetrievalOptions, before they are counted
  std::string cache_directory{};
  std::size_t batch_size = 64;  // pairs given to the model at a time
  EvaluationProgress progress{};
};

struct RerankResult {
  RankingScores scores;      // of the reranked lists; MTEB's main score is map_at_1000
  RankingScores candidates;  // of the first top_n candidates in their given order
  RetrievalRun run;
  std::size_t queries = 0;  // evaluated
  std::size_t pairs = 0;
  std::size_t truncated = 0;  // pairs, of those that ran
  std::size_t cached = 0;     // pairs whose score came from the cache
  std::size_t tokens = 0;
};

/// Scores the best `top_n` candidates of each judged query of a TREC run file again. Every query
/// and candidate must be in the directory's queries.jsonl and corpus.jsonl.
RerankResult evaluate_rerank(Reranker& reranker, const std::string& directory,
                             const std::string& run_file, const RerankOptions& options = {});

/// TREC run file, one line a document: `query Q0 document rank score tag`. Ids must be free of
/// white space. Reading takes the score, not the rank. Writing is atomic and gives back the same
/// float32 scores.
RetrievalRun read_run_file(const std::string& path);
void write_run_file(const std::string& path, const RetrievalRun& run,
                    std::string_view tag = "octavo");

/// Metrics of a run against qrels/<split>.tsv (BEIR: header, then `query-id TAB corpus-id TAB
/// score`).
RankingScores evaluate_run(const RetrievalRun& run, const std::string& qrels_file);

/// Tab-separated: "query" and the metric names, then a line a query. Atomic.
void write_query_scores(const std::string& path, const RankingScores& scores);

/// One task's result file in MTEB's form (TaskResult): scores rounded to 5 decimals.
struct MtebResult {
  std::string task_name;
  std::string dataset_revision;  // "" becomes "unknown"
  std::string split = "test";
  std::string main_score;  // which of `metrics`
  MetricValues metrics;
  double evaluation_seconds = 0;
  std::vector<std::string> languages{"eng-Latn"};
  /// Written beside the scores of the split: model digest, prompts, counts, instruction set, ...
  std::vector<std::pair<std::string, std::string>> details{};
};
/// Throws kInvalidArgument when `main_score` is not among the metrics. Atomic.
void write_mteb_result(const std::string& path, const MtebResult& result);

}  // namespace octavo
