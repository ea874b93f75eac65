#include "eval/metrics.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <unordered_set>

#include "octavo/error.h"

namespace octavo::eval {
namespace {

constexpr const char* kFamilies[] = {"ndcg", "map", "recall", "precision", "mrr", "hit_rate"};
constexpr std::int32_t kRelevant = 1;

// Grades of the ranked documents, best first; 0 for what is not judged.
std::vector<std::int32_t> ranked_grades(const QueryRun& run, const Grades& grades) {
  std::vector<ScoredDocument> documents = run.documents;
  for (ScoredDocument& document : documents) document.score = metric_score(document.score);
  sort_as_trec_eval(documents);
  std::unordered_set<std::string_view> seen;
  std::vector<std::int32_t> out;
  out.reserve(documents.size());
  for (const ScoredDocument& document : documents) {
    if (!seen.insert(document.id).second) {
      throw Error(ErrorCode::kInvalidArgument,
                  {.message = "a run names a document twice for one query",
                   .place = "query '" + run.query + "', document '" + document.id + "'",
                   .fix = "keep one score a document"});
    }
    const auto found = grades.find(document.id);
    out.push_back(found == grades.end() ? 0 : found->second);
  }
  return out;
}

double gain_at(std::int32_t grade, std::size_t index) {
  return grade > 0 ? static_cast<double>(grade) / std::log2(static_cast<double>(index + 2)) : 0.0;
}

// Running totals of a ranking, read off at each cutoff.
struct Totals {
  double gain = 0, precisions = 0, reciprocal_rank = 0;
  std::size_t relevant = 0;

  void add(std::int32_t grade, std::size_t index) {
    gain += gain_at(grade, index);
    if (grade < kRelevant) return;
    ++relevant;
    precisions += static_cast<double>(relevant) / static_cast<double>(index + 1);
    if (relevant == 1) reciprocal_rank = 1.0 / static_cast<double>(index + 1);
  }
};

}  // namespace

std::vector<std::string> metric_names() {
  std::vector<std::string> names;
  for (const char* family : kFamilies) {
    for (const std::size_t k : kCutoffs) {
      names.push_back(std::string(family) + "_at_" + std::to_string(k));
    }
  }
  names.insert(names.end(), {"map", "mrr"});
  return names;
}

std::vector<double> query_metrics(const QueryRun& run, const Grades& grades) {
  const std::vector<std::int32_t> ranked = ranked_grades(run, grades);
  std::vector<std::int32_t> ideal;
  for (const auto& [id, grade] : grades) {
    if (grade >= kRelevant) ideal.push_back(grade);
  }
  std::sort(ideal.begin(), ideal.end(), std::greater<>());
  const auto over = [](double value, double by) { return by > 0 ? value / by : 0.0; };
  const double relevant = static_cast<double>(ideal.size());

  constexpr std::size_t kCount = kCutoffs.size();
  std::vector<double> values(std::size(kFamilies) * kCount + 2);
  Totals totals;
  double ideal_gain = 0;
  std::size_t index = 0, ideal_index = 0;
  for (std::size_t c = 0; c < kCount; ++c) {
    const std::size_t k = kCutoffs[c];
    for (; index < std::min(k, ranked.size()); ++index) totals.add(ranked[index], index);
    for (; ideal_index < std::min(k, ideal.size()); ++ideal_index) {
      ideal_gain += gain_at(ideal[ideal_index], ideal_index);
    }
    const double found = static_cast<double>(totals.relevant);
    values[c] = over(totals.gain, ideal_gain);
    values[kCount + c] = over(totals.precisions, relevant);
    values[2 * kCount + c] = over(found, relevant);
    values[3 * kCount + c] = found / static_cast<double>(k);
    values[4 * kCount + c] = totals.reciprocal_rank;
    values[5 * kCount + c] = totals.relevant > 0 ? 1.0 : 0.0;
  }
  for (; index < ranked.size(); ++index) totals.add(ranked[index], index);
  values[6 * kCount] = over(totals.precisions, relevant);
  values[6 * kCount + 1] = totals.reciprocal_rank;
  return values;
}

RankingScores evaluate(const RetrievalRun& run, const Qrels& qrels) {
  RankingScores out;
  out.names = metric_names();
  std::unordered_set<std::string_view> seen;
  for (const QueryRun& query : run) {
    if (!seen.insert(query.query).second) {
      throw Error(ErrorCode::kInvalidArgument, {.message = "a run answers a query twice",
                                                .place = "query '" + query.query + "'",
                                                .fix = "give all documents of a query together"});
    }
    const auto judged = qrels.find(query.query);
    if (judged == qrels.end() || judged->second.empty()) {
      ++out.queries_without_judgements;
    } else {
      out.per_query.push_back({query.query, query_metrics(query, judged->second)});
    }
  }
  for (const auto& [query, grades] : qrels) {
    if (!grades.empty() && !seen.contains(query)) ++out.queries_without_results;
  }
  for (std::size_t m = 0; m < out.names.size(); ++m) {
    double sum = 0;
    for (const QueryScores& query : out.per_query) sum += query.values[m];
    out.mean[out.names[m]] =
        out.per_query.empty() ? 0.0 : sum / static_cast<double>(out.per_query.size());
  }
  return out;
}

}  // namespace octavo::eval
