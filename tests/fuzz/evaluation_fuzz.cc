// The text files of evaluations; the first byte chooses the parser. An error, or records that keep
// what the parser states.
#include <cstdint>
#include <string_view>

#include "base/utf8.h"
#include "eval/beir.h"
#include "eval/metrics.h"
#include "eval/sts.h"
#include "eval/text.h"
#include "octavo/error.h"

namespace {

void require(bool holds) {
  if (!holds) __builtin_trap();
}

void check_items(const std::vector<octavo::eval::TextItem>& items) {
  for (const auto& item : items) require(!item.id.empty() && octavo::is_utf8(item.text));
}

void parse(char which, std::string_view text) {
  using namespace octavo::eval;
  if (which == 'c') check_items(parse_corpus(text, "corpus.jsonl"));
  if (which == 'q') check_items(parse_queries(text, "queries.jsonl"));
  if (which == 'j') {
    std::size_t judgements = 0;
    const QrelsFile file = parse_qrels(text, "test.tsv");
    for (const auto& [query, grades] : file.qrels) judgements += grades.size();
    require(judgements == file.judgements);
  }
  if (which == 'r') {
    const octavo::RetrievalRun run = parse_run(text, "a.run");
    Qrels qrels;
    for (const auto& query : run) qrels[query.query][query.documents.front().id] = 1;
    for (const auto& [name, value] : evaluate(run, qrels).mean) require(value >= 0 && value <= 1);
  }
  if (which == 's') {
    for (const StsPair& pair : parse_sts(text, "sts.csv")) require(pair.score == pair.score);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    parse(text[0], text.substr(1));
  } catch (const octavo::Error& error) {
    require(octavo::is_utf8(error.what()) && error.code() == octavo::ErrorCode::kInvalidFile);
  }
  return 0;
}
