// The evaluations themselves, over any embedder or reranker that has the shape of embed_texts.h.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "eval/beir.h"
#include "eval/embed_texts.h"
#include "eval/sts.h"
#include "octavo/evaluation.h"

namespace octavo::eval {

RetrievalResult evaluate_retrieval(const TextEmbedder& embedder, const BeirDataset& data,
                                   const RetrievalOptions& options);

StsResult evaluate_sts(const TextEmbedder& embedder, std::span<const StsPair> pairs,
                       const StsOptions& options);

/// A cross-encoder as an evaluation sees it: one score a document; adds to the counts.
struct PairScorer {
  std::string digest;
  std::function<std::vector<float>(std::string_view query, std::span<const std::string> documents,
                                   TextCounts& counts)>
      score;
};

/// `run_name` names the candidates in errors. kInvalidFile for a judged query or a candidate that
/// the data set does not hold, and when no query of the run is judged.
RerankResult evaluate_rerank(const PairScorer& scorer, const BeirDataset& data,
                             const RetrievalRun& candidates, const std::string& run_name,
                             const RerankOptions& options);

}  // namespace octavo::eval
