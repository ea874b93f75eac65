#include "eval/retrieval.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "eval/metrics.h"
#include "eval/test_files.h"

namespace octavo::eval {
namespace {

// Counts of the letters a to h: a bag of words, small enough to reckon by hand. Texts are cut at
// ten letters.
class LetterEmbedder {
 public:
  TextEmbedder interface() {
    TextEmbedder out;
    out.dims = 8;
    out.digest = "letters";
    out.threads = 2;
    out.embed = [this](std::span<const std::string> texts, std::string_view prompt,
                       TextCounts& counts) {
      ++calls;
      std::vector<float> rows;
      for (const std::string& text : texts) {
        if (calls > calls_allowed) throw Error(ErrorCode::kIo, "killed");
        seen.insert(std::string(prompt) + text);
        ++texts_run;
        counts.tokens += text.size();
        counts.truncated += text.size() > 10 ? 1 : 0;
        for (char letter = 'a'; letter <= 'h'; ++letter) {
          rows.push_back(static_cast<float>(
              std::count(text.begin(), text.begin() + std::min<long>(10, text.size()), letter)));
        }
      }
      return rows;
    };
    out.count_truncated = [](std::span<const std::string> texts, std::string_view) {
      return static_cast<std::size_t>(std::count_if(
          texts.begin(), texts.end(), [](const std::string& text) { return text.size() > 10; }));
    };
    return out;
  }

  std::set<std::string> seen;
  int calls = 0, calls_allowed = 1000;
  std::size_t texts_run = 0;
};

class Retrieval : public testing::Test {
 protected:
  void SetUp() override {
    files_.write("corpus.jsonl",
                 "{\"_id\": \"d1\", \"title\": \"aaa\", \"text\": \"b\"}\n"
                 "{\"_id\": \"d2\", \"text\": \"bbb\"}\n"
                 "{\"_id\": \"d3\", \"text\": \"bbb\"}\n"
                 "{\"_id\": \"d4\", \"text\": \"cccccccccccccccccc\"}\n"
                 "{\"_id\": \"q1\", \"text\": \"a\"}\n"
                 "{\"_id\": \"none\", \"text\": \"\"}\n");
    files_.write("queries.jsonl",
                 "{\"_id\": \"q1\", \"text\": \"a\"}\n{\"_id\": \"q2\", \"text\": \"b\"}\n"
                 "{\"_id\": \"q3\", \"text\": \"unjudged\"}\n");
    files_.write("qrels/test.tsv",
                 "query-id\tcorpus-id\tscore\nq1\td1\t1\nq2\td2\t2\nq2\td1\t1\nq2\tgone\t1\n");
    data_ = read_beir(files_.path(), "test");
  }

  static std::vector<std::string> ids(const QueryRun& run) {
    std::vector<std::string> out;
    for (const ScoredDocument& document : run.documents) out.push_back(document.id);
    return out;
  }

  TemporaryDirectory files_;
  BeirDataset data_;
};

TEST_F(Retrieval, RanksAndScores) {
  LetterEmbedder model;
  RetrievalOptions options;
  options.query_prompt = "query: ";
  const RetrievalResult result = evaluate_retrieval(model.interface(), data_, options);
  // Ties go to the greater id, as in the metrics.
  EXPECT_EQ(ids(result.run[0]), (std::vector<std::string>{"q1", "d1", "none", "d4", "d3", "d2"}));
  EXPECT_EQ(ids(result.run[1]), (std::vector<std::string>{"d3", "d2", "d1", "q1", "none", "d4"}));
  EXPECT_FLOAT_EQ(result.run[0].documents[1].score, 3 / std::sqrt(10.0F));
  EXPECT_DOUBLE_EQ(result.scores.mean.at("mrr_at_10"), 0.5);
  const double gain = 2 / std::log2(3.0) + 0.5, ideal = 2 + 1 / std::log2(3.0) + 0.5;
  EXPECT_DOUBLE_EQ(result.scores.mean.at("ndcg_at_10"), (1 / std::log2(3.0) + gain / ideal) / 2);
  EXPECT_EQ(result.documents, 6u);
  EXPECT_EQ(result.queries, 2u);
  EXPECT_EQ(result.judgements, 4u);
  EXPECT_EQ(result.unjudged_queries, 1u);
  EXPECT_EQ(result.missing_documents, 1u);
  EXPECT_EQ(result.truncated_documents, 1u);
  EXPECT_EQ(result.truncated_queries, 0u);
  EXPECT_EQ(result.similarity, "cosine");
  EXPECT_TRUE(model.seen.contains("query: b"));
  EXPECT_TRUE(model.seen.contains("aaa b"));
  EXPECT_FALSE(model.seen.contains("query: unjudged"));
}

TEST_F(Retrieval, IdenticalIdsAreDroppedWhenAsked) {
  LetterEmbedder model;
  RetrievalOptions options;
  options.ignore_identical_ids = true;
  options.top_k = 2;
  const RetrievalResult result = evaluate_retrieval(model.interface(), data_, options);
  EXPECT_EQ(ids(result.run[0]), (std::vector<std::string>{"d1", "none"}));
  EXPECT_EQ(ids(result.run[1]), (std::vector<std::string>{"d3", "d2"}));
}

TEST_F(Retrieval, OtherSimilarities) {
  LetterEmbedder model;
  TextEmbedder embedder = model.interface();
  embedder.similarity = "dot";
  EXPECT_EQ(ids(evaluate_retrieval(embedder, data_, {}).run[0])[0], "d1");
  embedder.similarity = "euclidean";
  EXPECT_EQ(evaluate_retrieval(embedder, data_, {}).run[0].documents[1].score, -1.0F);
  embedder.similarity = "manhattan";
  EXPECT_EQ(evaluate_retrieval(embedder, data_, {}).run[0].documents[2].score, -3.0F);
  embedder.similarity = "other";
  EXPECT_EQ(error_of([&] { evaluate_retrieval(embedder, data_, {}); }).code(),
            ErrorCode::kUnsupported);
}

void expect_same(const RetrievalResult& a, const RetrievalResult& b) {
  EXPECT_EQ(a.scores.mean, b.scores.mean);
  ASSERT_EQ(a.run.size(), b.run.size());
  for (std::size_t q = 0; q < a.run.size(); ++q) {
    ASSERT_EQ(a.run[q].documents.size(), b.run[q].documents.size());
    for (std::size_t d = 0; d < a.run[q].documents.size(); ++d) {
      EXPECT_EQ(a.run[q].documents[d].id, b.run[q].documents[d].id);
      EXPECT_EQ(a.run[q].documents[d].score, b.run[q].documents[d].score);
    }
  }
  EXPECT_EQ(a.truncated_documents, b.truncated_documents);
}

TEST_F(Retrieval, GoesOnAfterAKill) {
  LetterEmbedder reference;
  RetrievalOptions options;
  options.query_prompt = "query: ";  // else a query and a document would share an entry
  const RetrievalResult whole = evaluate_retrieval(reference.interface(), data_, options);
  options.cache_directory = files_ / "cache";
  options.batch_size = 2;
  LetterEmbedder killed;
  killed.calls_allowed = 3;  // both queries, four of the documents
  EXPECT_THROW(evaluate_retrieval(killed.interface(), data_, options), Error);

  LetterEmbedder resumed;
  const RetrievalResult rest = evaluate_retrieval(resumed.interface(), data_, options);
  EXPECT_EQ(resumed.texts_run, 2u);
  EXPECT_EQ(rest.cached, 6u);
  expect_same(whole, rest);

  LetterEmbedder idle;
  const RetrievalResult cached = evaluate_retrieval(idle.interface(), data_, options);
  EXPECT_EQ(idle.calls, 0);
  EXPECT_EQ(cached.cached, 8u);
  EXPECT_EQ(cached.tokens, 0u);
  expect_same(whole, cached);

  options.document_prompt = "other prompt";
  LetterEmbedder prompted;
  evaluate_retrieval(prompted.interface(), data_, options);
  EXPECT_EQ(prompted.texts_run, 6u);
}

TEST_F(Retrieval, ReportsProgressAndStops) {
  std::map<std::string, std::vector<std::size_t>> done;
  RetrievalOptions options;
  options.batch_size = 4;
  options.progress = [&](std::string_view stage, std::size_t count, std::size_t total,
                         std::size_t) {
    EXPECT_EQ(total, stage == "documents" ? 6u : 2u);
    done[std::string(stage)].push_back(count);
    return true;
  };
  LetterEmbedder model;
  evaluate_retrieval(model.interface(), data_, options);
  EXPECT_EQ(done["documents"], (std::vector<std::size_t>{0, 4, 6}));
  EXPECT_EQ(done["queries"], (std::vector<std::size_t>{0, 2}));
  EXPECT_EQ(done["search"], (std::vector<std::size_t>{2}));
  for (const std::string stop_at : {"documents", "search"}) {
    options.progress = [&](std::string_view stage, std::size_t, std::size_t, std::size_t) {
      return stage != stop_at;
    };
    const Error error = error_of([&] { evaluate_retrieval(model.interface(), data_, options); });
    EXPECT_EQ(error.code(), ErrorCode::kCancelled);
  }
}

TEST_F(Retrieval, SentencePairs) {
  LetterEmbedder model;
  const std::vector<StsPair> pairs{
      {5, "ab", "ba"}, {3, "ab", "a"}, {1, "ab", "c"}, {4, "aab", "ab"}};
  const StsResult result = evaluate_sts(model.interface(), pairs, {});
  EXPECT_DOUBLE_EQ(result.metrics.at("cosine_spearman"), 1.0);
  EXPECT_DOUBLE_EQ(result.metrics.at("cosine_pearson"),
                   pearson(std::vector<double>{1, std::sqrt(0.5), 0, 3 / std::sqrt(10.0)},
                           std::vector<double>{5, 3, 1, 4}));
  EXPECT_EQ(result.pairs, 4u);
  EXPECT_EQ(model.texts_run, 5u);  // each sentence once
  EXPECT_EQ(error_of([&] { evaluate_sts(model.interface(), {}, {}); }).code(),
            ErrorCode::kInvalidFile);
}

// Scores a document by its number of the letter that the query is.
struct LetterScorer {
  PairScorer interface() {
    return {"letter-pairs", [this](std::string_view query, std::span<const std::string> documents,
                                   TextCounts& counts) {
              std::vector<float> out;
              for (const std::string& document : documents) {
                out.push_back(
                    static_cast<float>(std::count(document.begin(), document.end(), query[0])));
                counts.tokens += document.size();
              }
              pairs += documents.size();
              return out;
            }};
  }
  std::size_t pairs = 0;
};

TEST_F(Retrieval, RerankingReordersTheBestCandidates) {
  const RetrievalRun run{{"q2", {{"d1", 5.0F}, {"none", 4.0F}, {"d2", 3.0F}, {"d3", 2.0F}}},
                         {"unjudged", {{"d1", 1.0F}}}};
  LetterScorer scorer;
  RerankOptions options;
  options.top_n = 3;
  options.batch_size = 2;
  options.cache_directory = files_ / "cache";
  const RerankResult result = evaluate_rerank(scorer.interface(), data_, run, "a.run", options);
  EXPECT_EQ(ids(result.run[0]), (std::vector<std::string>{"d2", "d1", "none"}));
  EXPECT_DOUBLE_EQ(result.scores.mean.at("map_at_1000"), (1.0 + 1.0) / 3);
  EXPECT_DOUBLE_EQ(result.candidates.mean.at("map_at_1000"), (1.0 + 2.0 / 3) / 3);
  EXPECT_EQ(result.queries, 1u);
  EXPECT_EQ(result.pairs, 3u);
  EXPECT_EQ(result.scores.queries_without_judgements, 1u);
  EXPECT_EQ(result.scores.queries_without_results, 1u);
  options.top_n = 4;
  const RerankResult more = evaluate_rerank(scorer.interface(), data_, run, "a.run", options);
  EXPECT_EQ(scorer.pairs, 3u);  // d3 has the text of d2, which is in the cache
  EXPECT_EQ(more.cached, 4u);
}

TEST_F(Retrieval, RerankingRefusesForeignRuns) {
  LetterScorer scorer;
  const auto code = [&](const RetrievalRun& run) {
    const Error error =
        error_of([&] { evaluate_rerank(scorer.interface(), data_, run, "a.run", {}); });
    EXPECT_EQ(error.info().file, "a.run");
    return error.code();
  };
  EXPECT_EQ(code({{"q1", {{"gone", 1.0F}}}}), ErrorCode::kInvalidFile);
  EXPECT_EQ(code({{"q3", {{"d1", 1.0F}}}}), ErrorCode::kInvalidFile);
}

}  // namespace
}  // namespace octavo::eval
