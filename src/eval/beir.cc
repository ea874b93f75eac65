#include "eval/beir.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <unordered_set>
#include <utility>

#include "base/file.h"
#include "base/json.h"
#include "eval/metrics.h"
#include "eval/text.h"

namespace octavo {
namespace eval {
namespace {

std::string_view view(const Buffer& buffer) {
  return {reinterpret_cast<const char*>(buffer.data()), buffer.size()};
}

[[noreturn]] void rethrow_at(const Error& error, const LineContext& where, std::string_view shape) {
  ErrorInfo info = error.info();
  const std::string inner = std::move(info.place);
  info.place = "line " + std::to_string(where.line) + (inner.empty() ? "" : ", " + inner);
  if (info.expected.empty()) info.expected = shape;
  if (info.fix.empty()) info.fix = "mend the line, or fetch the data set again";
  throw Error(error.code(), std::move(info));
}

std::string id_text(const JsonValue& value) {
  return value.type() == JsonType::kInt ? std::to_string(value.as_int())
                                        : std::string(value.as_string());
}

void check_id(const std::string& id, const LineContext& where) {
  if (id.empty() || id.find_first_of(std::string_view("\0\t\r\n", 4)) != std::string::npos) {
    where.fail("an _id is empty or holds a control character",
               "a non-empty string without NUL, tab or line break", quote(id),
               "give the line another _id");
  }
}

template <typename MakeText>
std::vector<TextItem> parse_items(std::string_view text, const std::string& file,
                                  std::string_view shape, MakeText&& make_text) {
  std::vector<TextItem> items;
  std::unordered_set<std::string> seen;
  for_each_line(text, file, [&](std::string_view line, const LineContext& where) {
    TextItem item;
    try {
      const JsonDocument document = JsonDocument::parse(line, file);
      const JsonValue root = document.root();
      item = {id_text(root.at("_id")), make_text(root)};
    } catch (const Error& error) {
      rethrow_at(error, where, shape);
    }
    check_id(item.id, where);
    if (!seen.insert(item.id).second) {
      where.fail("an _id comes twice", "each _id once", quote(item.id), "remove one of the lines");
    }
    items.push_back(std::move(item));
  });
  return items;
}

std::string list_splits(const std::filesystem::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (entry.path().extension() == ".tsv") names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ", ") + name;
  return out;
}

std::string qrels_path(const std::filesystem::path& directory, const std::string& split) {
  if (split.empty() || split.find('/') != std::string::npos || split.starts_with('.')) {
    throw Error(ErrorCode::kInvalidArgument, {.message = "this is no name of a split",
                                              .expected = "a file name without .tsv, such as test",
                                              .found = quote(split)});
  }
  const std::filesystem::path path = directory / "qrels" / (split + ".tsv");
  if (file_exists(path.string())) return path.string();
  const std::string splits = list_splits(directory / "qrels");
  throw Error(ErrorCode::kNotFound,
              {.message = "the data set has no split '" + split + "'",
               .file = path.string(),
               .expected = "qrels/" + split + ".tsv in a BEIR directory",
               .found = splits.empty() ? "no qrels/*.tsv at all" : "the splits " + splits,
               .fix = splits.empty()
                          ? "give the directory that holds corpus.jsonl, queries.jsonl and qrels/"
                          : "choose one of these splits"});
}

void keep_judged_queries(BeirDataset& data) {
  const std::size_t all = data.queries.size();
  std::erase_if(data.queries,
                [&](const TextItem& query) { return !data.qrels.contains(query.id); });
  data.unjudged_queries = all - data.queries.size();
  data.missing_queries = data.qrels.size() - data.queries.size();
}

std::size_t count_missing_documents(const BeirDataset& data) {
  std::unordered_set<std::string_view> known;
  for (const TextItem& document : data.documents) known.insert(document.id);
  std::size_t missing = 0;
  for (const auto& [query, grades] : data.qrels) {
    for (const auto& [id, grade] : grades) missing += known.contains(id) ? 0 : 1;
  }
  return missing;
}

}  // namespace

std::vector<TextItem> parse_corpus(std::string_view text, const std::string& file) {
  return parse_items(text, file, R"({"_id": "...", "title": "...", "text": "..."})",
                     [](const JsonValue& root) {
                       std::string whole = root.string_or("title", "");
                       whole += ' ';
                       whole += root.at("text").as_string();
                       return std::string(strip(whole));
                     });
}

std::vector<TextItem> parse_queries(std::string_view text, const std::string& file) {
  return parse_items(text, file, R"({"_id": "...", "text": "..."})", [](const JsonValue& root) {
    return std::string(root.at("text").as_string());
  });
}

QrelsFile parse_qrels(std::string_view text, const std::string& file) {
  constexpr const char* kShape = "query-id TAB corpus-id TAB integer grade";
  QrelsFile out;
  for_each_line(text, file, [&](std::string_view line, const LineContext& where) {
    const auto fields = split_tabs(line);
    if (fields.size() != 3) {
      where.fail("a line of the judgements has not three fields", kShape,
                 std::to_string(fields.size()) + " fields: " + quote(line),
                 "separate the fields with tabs");
    }
    const auto grade = parse_int(fields[2]);
    if (where.line == 1) {
      if (!grade) return;
      where.fail("the judgements begin without a header", "query-id TAB corpus-id TAB score",
                 quote(line), "put the header line first, else the first judgement would be lost");
    }
    if (!grade)
      where.fail("a grade is not an integer", kShape, quote(fields[2]),
                 "write grades as 32-bit integers");
    if (fields[0].empty() || fields[1].empty())
      where.fail("an id is empty", kShape, quote(line), "fill in the id");
    if (!out.qrels[std::string(fields[0])].try_emplace(std::string(fields[1]), *grade).second) {
      where.fail("a document is judged twice for one query", "one judgement a pair",
                 "query " + quote(fields[0]) + ", document " + quote(fields[1]),
                 "remove one of the lines");
    }
    ++out.judgements;
  });
  return out;
}

BeirDataset read_beir(const std::string& directory, const std::string& split) {
  const std::filesystem::path folder(directory);
  if (!directory_exists(directory)) {
    throw Error(ErrorCode::kNotFound, {.message = "the data set is missing",
                                       .file = directory,
                                       .expected = "a BEIR directory",
                                       .fix = "check the path"});
  }
  const std::string qrels_file = qrels_path(folder, split);
  const std::string corpus_file = (folder / "corpus.jsonl").string();
  const std::string queries_file = (folder / "queries.jsonl").string();
  BeirDataset out;
  QrelsFile judged = parse_qrels(view(*read_file(qrels_file)), qrels_file);
  out.qrels = std::move(judged.qrels);
  out.judgements = judged.judgements;
  out.queries = parse_queries(view(*read_file(queries_file)), queries_file);
  keep_judged_queries(out);
  if (out.queries.empty()) {
    throw Error(
        ErrorCode::kInvalidFile,
        {.message = "no query of the data set is judged in this split",
         .file = qrels_file,
         .expected = "the query ids of queries.jsonl in the first column",
         .found = std::to_string(out.missing_queries) + " judged and " +
                  std::to_string(out.unjudged_queries) + " unjudged queries, none in common",
         .fix = "take the qrels and the queries from the same data set"});
  }
  out.documents = parse_corpus(view(*read_file(corpus_file)), corpus_file);
  if (out.documents.empty()) {
    throw Error(ErrorCode::kInvalidFile, {.message = "the corpus is empty",
                                          .file = corpus_file,
                                          .expected = "at least one document",
                                          .found = "no line",
                                          .fix = "fetch the data set again"});
  }
  std::sort(out.documents.begin(), out.documents.end(),
            [](const TextItem& a, const TextItem& b) { return a.id > b.id; });
  out.missing_documents = count_missing_documents(out);
  return out;
}

}  // namespace eval

RankingScores evaluate_run(const RetrievalRun& run, const std::string& qrels_file) {
  const auto bytes = read_file(qrels_file);
  return eval::evaluate(run, eval::parse_qrels(eval::view(*bytes), qrels_file).qrels);
}

}  // namespace octavo
