// Metrics of pairs of files, for comparisons with other implementations: metrics_tool DIRECTORY
// COUNT reads DIRECTORY/<n>.run and DIRECTORY/<n>.tsv (BEIR qrels) for n below COUNT and prints one
// JSON line a pair:
// {"mean": {...}, "queries": {"id": {...}}, "without_judgements": n, "without_results": n}.
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <nlohmann/json.hpp>
#include <string>

#include "octavo/evaluation.h"

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: metrics_tool DIRECTORY COUNT\n");
    return 2;
  }
  try {
    const std::string directory = argv[1];
    for (int n = 0; n < std::atoi(argv[2]); ++n) {
      const std::string stem = directory + "/" + std::to_string(n);
      const octavo::RankingScores scores =
          octavo::evaluate_run(octavo::read_run_file(stem + ".run"), stem + ".tsv");
      nlohmann::json line{{"mean", scores.mean},
                          {"queries", nlohmann::json::object()},
                          {"without_judgements", scores.queries_without_judgements},
                          {"without_results", scores.queries_without_results}};
      for (const octavo::QueryScores& query : scores.per_query) {
        nlohmann::json& values = line["queries"][query.query];
        for (std::size_t m = 0; m < scores.names.size(); ++m) {
          values[scores.names[m]] = query.values[m];
        }
      }
      std::printf("%s\n", line.dump().c_str());
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
