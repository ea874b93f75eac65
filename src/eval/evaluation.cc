// The public evaluations: models and files bound to the code that knows neither.
#include "octavo/evaluation.h"

#include <filesystem>

#include "base/file.h"
#include "eval/retrieval.h"
#include "eval/text_embedder.h"
#include "formats/sha256.h"
#include "octavo/error.h"
#include "octavo/reranker.h"

namespace octavo {
namespace {

eval::PairScorer pair_scorer(Reranker& reranker) {
  eval::PairScorer out;
  out.digest = reranker.digest();
  out.score = [&reranker](std::string_view query, std::span<const std::string> documents,
                          eval::TextCounts& counts) {
    RerankStats stats;
    const std::vector<float> all = reranker.score(query, documents, &stats);
    counts.tokens += stats.tokens;
    counts.truncated += stats.truncated;
    // As Reranker::rank: with several labels the last one is the relevant class.
    const std::size_t labels = reranker.labels();
    std::vector<float> scores;
    for (std::size_t i = labels - 1; i < all.size(); i += labels) scores.push_back(all[i]);
    return scores;
  };
  return out;
}

}  // namespace

RetrievalResult evaluate_retrieval(Embedder& embedder, const std::string& directory,
                                   const RetrievalOptions& options) {
  return with_frame([&] { return "evaluating on " + directory; },
                    [&] {
                      return eval::evaluate_retrieval(eval::text_embedder(embedder),
                                                      eval::read_beir(directory, options.split),
                                                      options);
                    });
}

std::string dataset_name(const std::string& directory) {
  std::filesystem::path path = std::filesystem::absolute(directory).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();
  return path.filename().string();
}

std::string dataset_digest(const std::string& directory, const std::string& split) {
  const std::filesystem::path folder = directory;
  return formats::sha256_files({(folder / "corpus.jsonl").string(),
                                (folder / "queries.jsonl").string(),
                                (folder / "qrels" / (split + ".tsv")).string()});
}

StsResult evaluate_sts(Embedder& embedder, const std::string& file, const StsOptions& options) {
  return with_frame([&] { return "evaluating on " + file; },
                    [&] {
                      return eval::evaluate_sts(eval::text_embedder(embedder),
                                                eval::parse_sts(read_text_file(file), file),
                                                options);
                    });
}

RerankResult evaluate_rerank(Reranker& reranker, const std::string& directory,
                             const std::string& run_file, const RerankOptions& options) {
  return with_frame([&] { return "evaluating on " + directory; },
                    [&] {
                      const RetrievalRun run = read_run_file(run_file);
                      return eval::evaluate_rerank(pair_scorer(reranker),
                                                   eval::read_beir(directory, options.split), run,
                                                   run_file, options);
                    });
}

}  // namespace octavo
