// Result files: per-query scores as a table, and the form of MTEB's TaskResult.
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <ostream>

#include "base/file.h"
#include "eval/text.h"
#include "octavo/error.h"
#include "octavo/evaluation.h"

namespace octavo {
namespace {

// As Python's round(value, 5): the nearest decimal, then the nearest double of it.
nlohmann::ordered_json rounded(double value) {
  if (!std::isfinite(value)) return nullptr;
  char text[512];
  std::snprintf(text, sizeof text, "%.5f", value);
  return std::strtod(text, nullptr);
}

std::string shortest(double value) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

}  // namespace

void write_query_scores(const std::string& path, const RankingScores& scores) {
  write_file_atomically(path, [&](std::ostream& out) {
    out << "query";
    for (const std::string& name : scores.names) out << '\t' << name;
    out << '\n';
    for (const QueryScores& query : scores.per_query) {
      out << query.query;
      for (const double value : query.values) out << '\t' << shortest(value);
      out << '\n';
    }
  });
}

void write_mteb_result(const std::string& path, const MtebResult& result) {
  const auto main_score = result.metrics.find(result.main_score);
  if (main_score == result.metrics.end()) {
    throw Error(ErrorCode::kInvalidArgument,
                {.message = "the main score is not among the metrics",
                 .file = path,
                 .found = eval::quote(result.main_score),
                 .fix = "name one of the metrics, such as ndcg_at_10"});
  }
  nlohmann::ordered_json scores;
  for (const auto& [name, value] : result.metrics) scores[name] = rounded(value);
  scores["main_score"] = rounded(main_score->second);
  scores["hf_subset"] = "default";
  scores["languages"] = result.languages;
  for (const auto& [name, value] : result.details) scores[name] = value;

  nlohmann::ordered_json root;
  root["dataset_revision"] = result.dataset_revision.empty() ? "unknown" : result.dataset_revision;
  root["task_name"] = result.task_name;
  root["mteb_version"] = nullptr;  // not run by MTEB
  root["scores"][result.split] = nlohmann::ordered_json::array({scores});
  root["evaluation_time"] = result.evaluation_seconds;
  root["kg_co2_emissions"] = nullptr;
  using Json = nlohmann::ordered_json;
  const std::string text = root.dump(2, ' ', false, Json::error_handler_t::replace);
  write_file_atomically(path, [&](std::ostream& out) { out << text << '\n'; });
}

}  // namespace octavo
