#include "tasks/quality_scores.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace octavo::tasks {
namespace {

namespace fs = std::filesystem;

class QualityScoresTest : public testing::Test {
 protected:
  QualityScoresTest() { fs::remove_all(folder_); }
  ~QualityScoresTest() override { fs::remove_all(folder_); }

  std::string only_file() const {
    std::string out;
    for (const auto& entry : fs::directory_iterator(folder_)) out = entry.path().string();
    return out;
  }

  const std::string folder_ = testing::TempDir() + "octavo-quality-" + std::to_string(::getpid());
};

TEST_F(QualityScoresTest, KeepsNumbersOfOneIdentityBitForBit) {
  const double third = 1.0 / 3;
  QualityScores first(folder_, "model a");
  EXPECT_FALSE(first.find("float"));
  first.put({{"float", third}, {"x", 2}});
  EXPECT_EQ(first.find("float"), third);
  EXPECT_EQ(QualityScores(folder_, "model a").find("float"), third);
  EXPECT_FALSE(QualityScores(folder_, "model b").find("float"));
}

TEST_F(QualityScoresTest, AddsToWhatOthersWrote) {
  QualityScores one(folder_, "m"), other(folder_, "m");
  one.put({{"a", 1}});
  other.put({{"b", 2}});
  const QualityScores both(folder_, "m");
  EXPECT_EQ(both.find("a"), 1);
  EXPECT_EQ(both.find("b"), 2);
}

TEST_F(QualityScoresTest, PassesOverDamage) {
  QualityScores(folder_, "m").put({{"a", 1}});
  std::ofstream(only_file(), std::ios::trunc) << "{\"format\": \"octavo quality 1\", ";
  QualityScores after(folder_, "m");
  EXPECT_FALSE(after.find("a"));
  after.put({{"a", 3}});
  EXPECT_EQ(QualityScores(folder_, "m").find("a"), 3);
}

TEST_F(QualityScoresTest, WorksInMemoryWhereNothingCanBeWritten) {
  std::ofstream(folder_) << "a file in the place of the folder";
  for (const std::string& folder : {folder_, std::string()}) {
    QualityScores scores(folder, "m");
    scores.put({{"a", 1}});
    EXPECT_EQ(scores.find("a"), 1);
    EXPECT_FALSE(QualityScores(folder, "m").find("a"));
  }
}

}  // namespace
}  // namespace octavo::tasks
