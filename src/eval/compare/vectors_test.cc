#include "eval/compare/vectors.h"

#include <gtest/gtest.h>

namespace octavo::eval {
namespace {

TEST(VectorAgreement, FindsTheWorstTextAndTheLargestError) {
  const std::vector<std::string> texts = {"same", "turned", "half"};
  const std::vector<float> a = {1, 0, 1, 0, 1, 0}, b = {2, 0, 0, 1, 1, 1};
  const VectorAgreement found = agreement(texts, a, b, 2);
  EXPECT_EQ(found.texts, 3u);
  EXPECT_EQ(found.worst_text, "turned");
  EXPECT_DOUBLE_EQ(found.min_cosine, 0);
  EXPECT_NEAR(found.mean_cosine, (1 + 0 + 0.70710678118654752) / 3, 1e-12);
  EXPECT_DOUBLE_EQ(found.max_absolute_error, 1);
  ASSERT_EQ(found.quantiles.size(), 5u);
  EXPECT_NEAR(found.quantiles[3].second, 0.70710678118654752, 1e-12);  // the median
}

TEST(VectorAgreement, ZeroVectorsAreEqualToEachOtherAlone) {
  const std::vector<std::string> texts = {"both", "one"};
  const std::vector<float> a = {0, 0, 0, 0}, b = {0, 0, 0, 3};
  const VectorAgreement found = agreement(texts, a, b, 2);
  EXPECT_DOUBLE_EQ(found.mean_cosine, 0.5);
  EXPECT_EQ(found.worst_text, "one");
}

TEST(VectorAgreement, CutsALongTextBetweenCharacters) {
  std::string text(119, 'a');
  text += "\xC3\xA9 and more";
  const std::vector<std::string> texts = {text};
  const std::vector<float> a = {1}, b = {1};
  const std::string shown = agreement(texts, a, b, 1).worst_text;
  EXPECT_EQ(shown, std::string(119, 'a') + "...");
}

}  // namespace
}  // namespace octavo::eval
