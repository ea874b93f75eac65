// BEIR directories (github.com/beir-cellar/beir, "Load your custom dataset"): corpus.jsonl,
// queries.jsonl, qrels/<split>.tsv. Strict: a line that is not as it should be is an
// Error(kInvalidFile) with file and line.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "eval/run.h"

namespace octavo::eval {

/// A document or a query as the model gets it, without a prompt.
struct TextItem {
  std::string id;
  std::string text;
};

/// Lines {"_id", "title", "text"}: the text is (title + " " + text).strip() in Python's terms. A
/// missing or null title is empty; ids are strings or integers and may not repeat; other members
/// are ignored.
std::vector<TextItem> parse_corpus(std::string_view text, const std::string& file);

/// Lines {"_id", "text"}: the text as it is.
std::vector<TextItem> parse_queries(std::string_view text, const std::string& file);

struct QrelsFile {
  Qrels qrels;
  std::size_t judgements = 0;
};

/// A header line, then `query-id TAB corpus-id TAB grade`, grade an integer; a pair may not repeat.
QrelsFile parse_qrels(std::string_view text, const std::string& file);

struct BeirDataset {
  std::vector<TextItem>
      documents;  // in descending order of id (bytes): equal scores rank in this order
  std::vector<TextItem> queries;  // those with a judgement, in file order
  Qrels qrels;
  std::size_t judgements = 0, unjudged_queries = 0, missing_queries = 0, missing_documents = 0;
};

/// Error(kNotFound) that lists the splits there are when this one is missing; kInvalidFile when no
/// judged query is left.
BeirDataset read_beir(const std::string& directory, const std::string& split);

}  // namespace octavo::eval
