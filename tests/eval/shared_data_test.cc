// The readers on real data sets, which lie beside the repository (../shared/data, or
// $OCTAVO_SHARED/data): counts as the data sets publish them.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "base/file.h"
#include "eval/beir.h"
#include "eval/metrics.h"
#include "eval/sts.h"

namespace octavo::eval {
namespace {

std::string data_directory() {
  const char* shared = std::getenv("OCTAVO_SHARED");
  return std::string(shared != nullptr ? shared : "../shared") + "/data";
}

#define OCTAVO_NEED_DATA()                                                        \
  if (!std::filesystem::is_directory(data_directory())) {                         \
    if (std::getenv("CI") != nullptr) FAIL() << data_directory() << " is absent"; \
    GTEST_SKIP() << "left out: " << data_directory() << " is absent";             \
  }

TEST(SharedData, SciFactHasItsCounts) {
  OCTAVO_NEED_DATA();
  const BeirDataset data = read_beir(data_directory() + "/scifact", "test");
  EXPECT_EQ(data.documents.size(), 5183u);
  EXPECT_EQ(data.queries.size(), 300u);
  EXPECT_EQ(data.judgements, 339u);
  EXPECT_EQ(data.missing_queries, 0u);
  EXPECT_EQ(data.missing_documents, 0u);
  const auto one = std::find_if(data.documents.begin(), data.documents.end(),
                                [](const TextItem& item) { return item.id == "4983"; });
  ASSERT_NE(one, data.documents.end());
  EXPECT_TRUE(one->text.starts_with(
      "Microstructural development of human newborn cerebral white matter assessed in "
      "vivo by diffusion tensor magnetic resonance imaging. Alterations"));
}

TEST(SharedData, CranfieldHasItsCounts) {
  OCTAVO_NEED_DATA();
  const BeirDataset data = read_beir(data_directory() + "/cranfield", "test");
  EXPECT_EQ(data.documents.size(), 1400u);
  EXPECT_EQ(data.queries.size(), 225u);
  EXPECT_EQ(data.judgements, 1612u);
  // The judgements as a run score one hundred percent.
  RetrievalRun run;
  for (const auto& [query, grades] : data.qrels) {
    run.push_back({query, {}});
    for (const auto& [id, grade] : grades)
      run.back().documents.push_back({id, static_cast<float>(grade)});
  }
  EXPECT_DOUBLE_EQ(evaluate(run, data.qrels).mean.at("ndcg_at_1000"), 1.0);
}

TEST(SharedData, StsDevHasItsPairs) {
  OCTAVO_NEED_DATA();
  const std::string file = data_directory() + "/sts-dev.csv";
  const auto pairs = parse_sts(read_text_file(file), file);
  ASSERT_EQ(pairs.size(), 1500u);
  EXPECT_EQ(pairs[1].score, 4.75);
  EXPECT_EQ(pairs[1].first, "A young child is riding a horse.");
  EXPECT_EQ(pairs[1].second, "A child is riding a horse.");
  for (const StsPair& pair : pairs) EXPECT_TRUE(pair.score >= 0 && pair.score <= 5);
}

}  // namespace
}  // namespace octavo::eval
