// Judgements of a data set, and the order in which trec_eval looks at the documents of a run.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "octavo/evaluation.h"

namespace octavo::eval {

/// Grade by document id: 1 and above is relevant, 0 is judged as not relevant, below 0 counts as
/// not judged.
using Grades = std::unordered_map<std::string, std::int32_t>;
/// Judgements by query id; no query without a judgement.
using Qrels = std::unordered_map<std::string, Grades>;

/// A score as the metrics see it: rounded to float32 (too large a value becomes an infinity), NaN
/// becomes -1.
float metric_score(double score);

/// Best score first, equal scores by descending id (bytes, as strcmp), as trec_eval 9.0.8 sorts.
void sort_as_trec_eval(std::vector<ScoredDocument>& documents);

/// Lines of a run file; `name` is the file in errors. Lines of a query need not be adjacent.
RetrievalRun parse_run(std::string_view text, const std::string& name);

}  // namespace octavo::eval
