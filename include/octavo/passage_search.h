// Answers queries from a file of passages by exact nearest neighbours; the embeddings of passages
// are cached, so that the next search of the same ones starts at once.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "octavo/evaluation.h"

namespace octavo {

class Embedder;

/// A line of corpus.jsonl.
struct Passage {
  std::string id, title, text;
};

/// Lines {"_id" or "id", "title", "text"}, JSON strings or plain text; without an id the line
/// number is the id. A line without any text is passed over. Errors: kNotFound, and kInvalidFile
/// with file and line.
std::vector<Passage> read_passages(const std::string& path);

struct PassageSearchOptions {
  std::string query_prompt{};     // put before every query
  std::string document_prompt{};  // put before every passage
  std::size_t top_k = 3;          // passages a query
  std::string cache_directory{};  // of passages, as RetrievalOptions; empty: no cache
  std::size_t batch_size = 256;
  EvaluationProgress progress{};
};

struct PassageHit {
  std::size_t passage;  // index
  float score;          // similarity; distances negated
};

struct PassageSearchResult {
  std::vector<std::vector<PassageHit>> hits;  // a list a query, best first, ties by position
  std::string similarity;                     // "cosine", ...: the model's own
  std::size_t cached = 0;                     // passages whose embedding came from the cache
  std::size_t tokens = 0;                     // run through the model
  double embed_seconds = 0;                   // spent on them
  std::size_t truncated_passages = 0, truncated_queries = 0;
};

/// The passage is given to the model as (title + " " + text), stripped.
PassageSearchResult search_passages(Embedder& embedder, std::span<const Passage> passages,
                                    std::span<const std::string> queries,
                                    const PassageSearchOptions& options = {});

}  // namespace octavo
