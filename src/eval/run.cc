#include "eval/run.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <ostream>
#include <unordered_set>

#include "base/file.h"
#include "eval/text.h"

namespace octavo {
namespace eval {

float metric_score(double score) {
  if (std::isnan(score)) return -1.0F;
  // Halfway between the largest float and the next power of two, from where rounding gives an
  // infinity.
  constexpr double kLimit = 0x1.ffffffp127;
  if (std::abs(score) >= kLimit)
    return std::copysign(std::numeric_limits<float>::infinity(),
                         static_cast<float>(score > 0 ? 1 : -1));
  return static_cast<float>(score);
}

void sort_as_trec_eval(std::vector<ScoredDocument>& documents) {
  std::sort(documents.begin(), documents.end(),
            [](const ScoredDocument& a, const ScoredDocument& b) {
              return a.score != b.score ? a.score > b.score : a.id > b.id;
            });
}

RetrievalRun parse_run(std::string_view text, const std::string& name) {
  RetrievalRun run;
  std::unordered_map<std::string, std::size_t> place_of_query;
  std::vector<std::unordered_set<std::string>> seen;
  for_each_line(text, name, [&](std::string_view line, const LineContext& where) {
    const auto fields = split_blanks(line);
    if (fields.size() != 6) {
      where.fail("a line of the run file has not six fields", "query Q0 document rank score tag",
                 std::to_string(fields.size()) + " fields: " + quote(line),
                 "write one document a line");
    }
    const auto score = parse_double(fields[4]);
    if (!score || std::isnan(*score)) {
      where.fail("a score is not a number", "a number in field 5", quote(fields[4]),
                 "give each document a score");
    }
    const auto [entry, added] = place_of_query.try_emplace(std::string(fields[0]), run.size());
    if (added) {
      run.push_back({std::string(fields[0]), {}});
      seen.emplace_back();
    }
    if (!seen[entry->second].emplace(fields[2]).second) {
      where.fail("a document comes twice for one query", "one line a document",
                 "query " + quote(fields[0]) + ", document " + quote(fields[2]),
                 "remove one of the lines");
    }
    run[entry->second].documents.push_back({std::string(fields[2]), metric_score(*score)});
  });
  return run;
}

namespace {

void check_run_id(std::string_view id, std::string_view what) {
  if (!id.empty() && id.find_first_of(" \t\r\n\v\f") == std::string_view::npos) return;
  throw Error(ErrorCode::kUnsupported,
              {.message = "a TREC run file cannot hold this " + std::string(what),
               .expected = "a word without white space",
               .found = quote(id),
               .fix = "use another output form, or rename the ids of the data set"});
}

}  // namespace
}  // namespace eval

RetrievalRun read_run_file(const std::string& path) {
  return eval::parse_run(read_text_file(path), path);
}

void write_run_file(const std::string& path, const RetrievalRun& run, std::string_view tag) {
  eval::check_run_id(tag, "tag");
  write_file_atomically(path, [&](std::ostream& out) {
    for (const QueryRun& query : run) {
      eval::check_run_id(query.query, "query id");
      std::size_t rank = 0;
      for (const ScoredDocument& document : query.documents) {
        eval::check_run_id(document.id, "document id");
        char score[32];
        const auto end = std::to_chars(score, score + sizeof score, document.score).ptr;
        out << query.query << " Q0 " << document.id << ' ' << ++rank << ' '
            << std::string_view(score, static_cast<std::size_t>(end - score)) << ' ' << tag << '\n';
      }
    }
  });
}

}  // namespace octavo
