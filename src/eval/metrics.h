// Ranking metrics with the semantics of trec_eval 9.0.8 as pytrec-eval-terrier runs it
// (usnistgov/trec_eval: form_res_rels.c, m_ndcg_cut.c, m_map_cut.c, m_P.c, m_recall.c, m_success.c,
// m_recip_rank.c). Formulas: README.md.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <vector>

#include "eval/run.h"
#include "octavo/evaluation.h"

namespace octavo::eval {

inline constexpr std::array<std::size_t, 7> kCutoffs{1, 3, 5, 10, 20, 100, 1000};

/// "ndcg_at_1" ... "hit_rate_at_1000", "map", "mrr".
std::vector<std::string> metric_names();

/// Values in the order of metric_names(). The documents may come in any order; kInvalidArgument
/// when one repeats.
std::vector<double> query_metrics(const QueryRun& run, const Grades& grades);

/// Every query that is in the run and in the judgements, and the means over them.
RankingScores evaluate(const RetrievalRun& run, const Qrels& qrels);

}  // namespace octavo::eval
