#include "eval/beir.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "base/utf8.h"
#include "eval/sts.h"
#include "eval/test_files.h"
#include "eval/text.h"

namespace octavo::eval {
namespace {

constexpr const char* kHeader = "query-id\tcorpus-id\tscore\n";

TEST(Text, StripsWhatPythonStrips) {
  EXPECT_EQ(strip(" \t\n\x0b\x0c\r\x1c\x1d\x1e\x1f a b\xC2\xA0\xE2\x80\xA8\xE3\x80\x80\xC2\x85"),
            "a b");
  EXPECT_EQ(strip("\xE1\x9A\x80\xE2\x80\x8Ax\xE2\x81\x9F\xE2\x80\xAF"), "x");
  EXPECT_EQ(strip("\xE2\x80\x8Bx"), "\xE2\x80\x8Bx");  // zero width space is no white space
  EXPECT_EQ(strip("\xC3\xA0"), "\xC3\xA0");
  EXPECT_EQ(strip("   "), "");
  EXPECT_EQ(strip(""), "");
}

TEST(Beir, JoinsTitleAndText) {
  const auto documents = parse_corpus(
      "{\"_id\": \"a\", \"title\": \"T\", \"text\": \"x \", \"metadata\": {\"url\": []}}\r\n"
      "{\"_id\": 7, \"text\": \"no title\"}\n"
      "{\"_id\": \"n\", \"title\": null, \"text\": \"\"}\n"
      "{\"_id\": \"\\u00e9\", \"title\": \"only title\", \"text\": \"\"}",
      "corpus.jsonl");
  ASSERT_EQ(documents.size(), 4u);
  EXPECT_EQ(documents[0].text, "T x");
  EXPECT_EQ(documents[1].id, "7");
  EXPECT_EQ(documents[1].text, "no title");
  EXPECT_EQ(documents[2].text, "");
  EXPECT_EQ(documents[3].id, "\xC3\xA9");
  EXPECT_EQ(documents[3].text, "only title");
  EXPECT_EQ(parse_queries("{\"_id\": \"1\", \"text\": \" kept as is \"}\n\n", "q")[0].text,
            " kept as is ");
}

TEST(Beir, ReadsJudgements) {
  const QrelsFile read =
      parse_qrels(std::string(kHeader) + "1\ta b\t2\r\n1\tc\t-1\n2\tc\t0", "test.tsv");
  EXPECT_EQ(read.judgements, 3u);
  EXPECT_EQ(read.qrels.at("1").at("a b"), 2);
  EXPECT_EQ(read.qrels.at("1").at("c"), -1);
  EXPECT_EQ(read.qrels.at("2").at("c"), 0);
}

struct BadFile {
  const char* name;
  std::string text;
  const char* place;
  const char* said;  // part of the message
};

void expect_refused(const BadFile& bad, void (*parse)(std::string_view, const std::string&)) {
  SCOPED_TRACE(bad.name);
  const Error error = error_of([&] { parse(bad.text, "some.file"); });
  EXPECT_EQ(error.code(), ErrorCode::kInvalidFile);
  EXPECT_EQ(error.info().file, "some.file");
  EXPECT_TRUE(error.info().place.starts_with(bad.place)) << error.what();
  EXPECT_NE(std::string(error.what()).find(bad.said), std::string::npos) << error.what();
  EXPECT_FALSE(error.info().expected.empty()) << error.what();
  EXPECT_FALSE(error.info().fix.empty()) << error.what();
  EXPECT_TRUE(is_utf8(error.what()));
}

TEST(Beir, RefusesBadCorpusLines) {
  const std::string good = "{\"_id\": \"1\", \"title\": \"\", \"text\": \"a\"}\n";
  const BadFile files[] = {
      {"not json", good + "hello\n", "line 2", ""},
      {"cut line", good + "{\"_id\": \"2\", \"text\": \"a", "line 2", ""},
      {"array", good + "[]\n", "line 2", "object"},
      {"no id", good + "{\"text\": \"a\"}\n", "line 2", "_id"},
      {"no text", good + "{\"_id\": \"2\"}\n", "line 2", "text"},
      {"text is a number", good + "{\"_id\": \"2\", \"text\": 1}\n", "line 2", "string"},
      {"title is a list", good + "{\"_id\": \"2\", \"text\": \"\", \"title\": []}\n", "line 2",
       "string"},
      {"id is a list", good + "{\"_id\": [], \"text\": \"a\"}\n", "line 2", "string"},
      {"id is empty", good + "{\"_id\": \"\", \"text\": \"a\"}\n", "line 2", "_id"},
      {"id has a tab", good + "{\"_id\": \"a\\tb\", \"text\": \"a\"}\n", "line 2", "_id"},
      {"id has a nul", good + "{\"_id\": \"a\\u0000b\", \"text\": \"a\"}\n", "line 2", "_id"},
      {"same id", good + good, "line 2", "twice"},
      {"same key", good + "{\"_id\": \"2\", \"text\": \"a\", \"text\": \"b\"}\n", "line 2", ""},
      {"empty line", good + "\n" + "{\"_id\": \"2\", \"text\": \"a\"}\n", "line 2", "empty"},
      {"byte order mark", "\xEF\xBB\xBF" + good, "line 1", "byte order mark"},
      {"nul", good + std::string("{\"_id\": \"2\",\0 \"text\": \"a\"}\n", 26), "line 2", "NUL"},
      {"latin-1", good + "{\"_id\": \"2\", \"text\": \"\xE9t\xE9\"}\n", "line 2", "UTF-8"},
      {"utf-16", std::string("\xFF\xFE{\0", 4), "line 1", ""},
  };
  for (const BadFile& bad : files) {
    expect_refused(
        bad, [](std::string_view text, const std::string& file) { parse_corpus(text, file); });
  }
}

TEST(Beir, RefusesBadJudgements) {
  const BadFile files[] = {
      {"no header", "1\ta\t1\n", "line 1", "header"},
      {"spaces", std::string(kHeader) + "1 a 1\n", "line 2", "three fields"},
      {"four fields", std::string(kHeader) + "1\t0\ta\t1\n", "line 2", "three fields"},
      {"no grade", std::string(kHeader) + "1\ta\t\n", "line 2", "integer"},
      {"fraction", std::string(kHeader) + "1\ta\t0.5\n", "line 2", "integer"},
      {"too large", std::string(kHeader) + "1\ta\t99999999999\n", "line 2", "integer"},
      {"trailing text", std::string(kHeader) + "1\ta\t1x\n", "line 2", "integer"},
      {"empty id", std::string(kHeader) + "\ta\t1\n", "line 2", "empty"},
      {"twice", std::string(kHeader) + "1\ta\t1\n1\ta\t1\n", "line 3", "twice"},
      {"not utf-8", std::string(kHeader) + "1\t\xFF\t1\n", "line 2", "UTF-8"},
  };
  for (const BadFile& bad : files) {
    expect_refused(bad,
                   [](std::string_view text, const std::string& file) { parse_qrels(text, file); });
  }
}

TEST(Beir, RefusesBadRunsAndPairs) {
  const BadFile runs[] = {
      {"five fields", "q Q0 d 1 0.5\n", "line 1", "six fields"},
      {"no number", "q Q0 d 1 high tag\n", "line 1", "number"},
      {"nan", "q Q0 d 1 nan tag\n", "line 1", "number"},
      {"twice", "q Q0 d 1 1 t\nr Q0 d 1 1 t\nq Q0 d 2 0.5 t\n", "line 3", "twice"},
  };
  for (const BadFile& bad : runs) {
    expect_refused(bad,
                   [](std::string_view text, const std::string& file) { parse_run(text, file); });
  }
  const BadFile pairs[] = {
      {"six columns", "a\tb\tc\td\t1.0\tone\n", "line 1", "columns"},
      {"header", "genre\tfile\tyear\tid\tscore\ts1\ts2\n", "line 1", "number"},
      {"infinite", "a\tb\tc\td\tinf\tone\ttwo\n", "line 1", "number"},
  };
  for (const BadFile& bad : pairs) {
    expect_refused(bad,
                   [](std::string_view text, const std::string& file) { parse_sts(text, file); });
  }
}

TEST(Beir, QuotesInPairsAreText) {
  const auto pairs = parse_sts(
      "a\tb\tc\td\t2.5\t\"Yes,\" he said\tIt's \"so\r\na\tb\tc\td\t0\tx\ty\tlicence\n", "f");
  ASSERT_EQ(pairs.size(), 2u);
  EXPECT_EQ(pairs[0].first, "\"Yes,\" he said");
  EXPECT_EQ(pairs[0].second, "It's \"so");
  EXPECT_EQ(pairs[1].second, "y");
}

TEST(Beir, SurvivesDamage) {
  const std::string corpus =
      "{\"_id\": \"1\", \"title\": \"t\\u00e9\", \"text\": \"a\"}\n{\"_id\": \"2\", \"text\": "
      "\"b\"}\n";
  const std::string qrels = std::string(kHeader) + "1\ta\t1\n2\tb\t-1\n";
  std::mt19937 random(3);
  std::size_t refused = 0;
  const auto attempt = [&](auto&& parse) {
    try {
      parse();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInvalidFile);
      ++refused;
    }
  };
  for (std::size_t length = 0; length <= corpus.size(); ++length) {
    attempt([&] { parse_corpus(std::string_view(corpus).substr(0, length), "f"); });
  }
  for (int n = 0; n < 4000; ++n) {
    std::string bad = n % 2 == 0 ? corpus : qrels;
    for (std::size_t change = 0; change <= random() % 3; ++change) {
      bad[random() % bad.size()] = static_cast<char>(random());
    }
    if (n % 2 == 0) {
      attempt([&] { parse_corpus(bad, "f"); });
    } else {
      attempt([&] { parse_qrels(bad, "f"); });
    }
  }
  EXPECT_GT(refused, 1000u);
}

class BeirDirectory : public testing::Test {
 protected:
  void SetUp() override {
    files_.write("corpus.jsonl",
                 "{\"_id\": \"10\", \"text\": \"a\"}\n{\"_id\": \"9\", \"text\": \"b\"}\n");
    files_.write("queries.jsonl",
                 "{\"_id\": \"q1\", \"text\": \"a\"}\n{\"_id\": \"q2\", \"text\": \"b\"}\n");
    files_.write("qrels/test.tsv", std::string(kHeader) + "q2\t10\t1\nq2\tgone\t1\nq9\t9\t1\n");
    files_.write("qrels/dev.tsv", std::string(kHeader) + "other\t10\t1\n");
  }
  TemporaryDirectory files_;
};

TEST_F(BeirDirectory, CountsWhatDoesNotFit) {
  const BeirDataset data = read_beir(files_.path(), "test");
  EXPECT_EQ(data.documents[0].id, "9");  // descending
  ASSERT_EQ(data.queries.size(), 1u);
  EXPECT_EQ(data.queries[0].id, "q2");
  EXPECT_EQ(data.judgements, 3u);
  EXPECT_EQ(data.unjudged_queries, 1u);
  EXPECT_EQ(data.missing_queries, 1u);
  EXPECT_EQ(data.missing_documents, 1u);
}

TEST_F(BeirDirectory, SaysWhatIsMissing) {
  const Error split = error_of([&] { read_beir(files_.path(), "train"); });
  EXPECT_EQ(split.code(), ErrorCode::kNotFound);
  EXPECT_EQ(split.info().found, "the splits dev, test");
  EXPECT_EQ(error_of([&] { read_beir(files_.path(), "../test"); }).code(),
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(error_of([&] { read_beir(files_ / "none", "test"); }).code(), ErrorCode::kNotFound);
  EXPECT_EQ(error_of([&] { read_beir(files_.path(), "dev"); }).code(), ErrorCode::kInvalidFile);
  std::filesystem::remove(files_ / "corpus.jsonl");
  EXPECT_EQ(error_of([&] { read_beir(files_.path(), "test"); }).code(), ErrorCode::kNotFound);
}

TEST_F(BeirDirectory, RunFilesKeepTheirScores) {
  std::mt19937 random(5);
  RetrievalRun run{{"q1", {}}, {"\xC3\xA9", {}}};
  for (QueryRun& query : run) {
    for (int n = 0; n < 200; ++n) {
      query.documents.push_back({"d" + std::to_string(n),
                                 std::ldexp(static_cast<float>(random()) - 2e9F, n % 200 - 120)});
    }
  }
  write_run_file(files_ / "a.run", run, "tag");
  const RetrievalRun read = read_run_file(files_ / "a.run");
  ASSERT_EQ(read.size(), run.size());
  for (std::size_t q = 0; q < run.size(); ++q) {
    EXPECT_EQ(read[q].query, run[q].query);
    ASSERT_EQ(read[q].documents.size(), run[q].documents.size());
    for (std::size_t d = 0; d < run[q].documents.size(); ++d) {
      EXPECT_EQ(read[q].documents[d].id, run[q].documents[d].id);
      EXPECT_EQ(read[q].documents[d].score, run[q].documents[d].score);
    }
  }
  run[0].documents[0].id = "two words";
  EXPECT_EQ(error_of([&] { write_run_file(files_ / "b.run", run); }).code(),
            ErrorCode::kUnsupported);
  EXPECT_FALSE(std::filesystem::exists(files_ / "b.run"));
}

}  // namespace
}  // namespace octavo::eval
