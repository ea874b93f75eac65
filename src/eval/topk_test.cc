#include "eval/topk.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "octavo/error.h"

namespace octavo::eval {
namespace {

std::vector<float> random_rows(std::size_t rows, std::size_t dims, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> out(rows * dims);
  for (float& value : out) value = normal(random);
  return out;
}

double exact_score(const float* a, const float* b, std::size_t dims, VectorSimilarity similarity) {
  double dot = 0, squares = 0, manhattan = 0;
  for (std::size_t i = 0; i < dims; ++i) {
    const double x = a[i], y = b[i];
    dot += x * y;
    squares += (x - y) * (x - y);
    manhattan += std::abs(x - y);
  }
  if (similarity == VectorSimilarity::kDot) return dot;
  return similarity == VectorSimilarity::kEuclidean ? -std::sqrt(squares) : -manhattan;
}

bool same(const std::vector<std::vector<Hit>>& a, const std::vector<std::vector<Hit>>& b) {
  const auto equal = [](const Hit& x, const Hit& y) {
    return x.index == y.index && x.score == y.score;
  };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](const auto& x, const auto& y) {
    return std::equal(x.begin(), x.end(), y.begin(), y.end(), equal);
  });
}

TEST(TopK, FindsWhatASortFinds) {
  for (const auto similarity :
       {VectorSimilarity::kDot, VectorSimilarity::kEuclidean, VectorSimilarity::kManhattan}) {
    for (const std::size_t dims : {1, 7, 16, 33, 100}) {
      const auto queries = random_rows(19, dims, 1), documents = random_rows(301, dims, 2);
      ThreadPool pool(2);
      const auto hits = top_k(queries, documents, dims, 25, similarity, pool);
      ASSERT_EQ(hits.size(), 19u);
      for (std::size_t q = 0; q < hits.size(); ++q) {
        std::vector<double> scores;
        for (std::size_t d = 0; d < 301; ++d) {
          scores.push_back(exact_score(&queries[q * dims], &documents[d * dims], dims, similarity));
        }
        ASSERT_EQ(hits[q].size(), 25u);
        for (const Hit& hit : hits[q])
          EXPECT_NEAR(hit.score, scores[hit.index], 1e-4 * (1 + std::abs(hit.score)));
        std::vector<double> best = scores;
        std::sort(best.begin(), best.end(), std::greater<>());
        for (std::size_t k = 0; k < 25; ++k)
          EXPECT_NEAR(hits[q][k].score, best[k], 1e-4 * (1 + std::abs(best[k])));
        for (std::size_t k = 1; k < 25; ++k) EXPECT_GE(hits[q][k - 1].score, hits[q][k].score);
      }
    }
  }
}

TEST(TopK, DoesNotDependOnThreadsOrNeighbours) {
  constexpr std::size_t kDims = 384;
  const auto queries = random_rows(101, kDims, 3), documents = random_rows(500, kDims, 4);
  ThreadPool one(1), two(2), five(5);
  const auto alone = top_k(queries, documents, kDims, 100, VectorSimilarity::kDot, one);
  EXPECT_TRUE(same(alone, top_k(queries, documents, kDims, 100, VectorSimilarity::kDot, two)));
  EXPECT_TRUE(same(alone, top_k(queries, documents, kDims, 100, VectorSimilarity::kDot, five)));
  for (const std::size_t q : {0, 1, 50, 100}) {
    const auto single = top_k(std::span(queries).subspan(q * kDims, kDims), documents, kDims, 100,
                              VectorSimilarity::kDot, one);
    EXPECT_TRUE(same({alone[q]}, single));
  }
}

TEST(TopK, EqualScoresKeepTheOrderOfTheDocuments) {
  const std::vector<float> documents{1, 2, 1, 2, 0, 1};
  ThreadPool pool(1);
  const auto hits = top_k(std::vector<float>{1}, documents, 1, 4, VectorSimilarity::kDot, pool);
  std::vector<std::uint32_t> order;
  for (const Hit& hit : hits[0]) order.push_back(hit.index);
  EXPECT_EQ(order, (std::vector<std::uint32_t>{1, 3, 0, 2}));
}

TEST(TopK, BrokenScoresAreMinusOne) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  ThreadPool pool(1);
  const auto hits = top_k(std::vector<float>{1, 0}, std::vector<float>{kNan, 0, 0.5F, 0, -2, 0}, 2,
                          9, VectorSimilarity::kDot, pool);
  ASSERT_EQ(hits[0].size(), 3u);
  EXPECT_EQ(hits[0][0].index, 1u);
  EXPECT_EQ(hits[0][1].index, 0u);
  EXPECT_EQ(hits[0][1].score, -1.0F);
}

TEST(TopK, EdgesAndRefusals) {
  ThreadPool pool(2);
  const std::vector<float> rows{1, 2, 3};
  EXPECT_EQ(top_k(rows, {}, 1, 5, VectorSimilarity::kDot, pool)[2].size(), 0u);
  EXPECT_TRUE(top_k({}, rows, 1, 5, VectorSimilarity::kDot, pool).empty());
  EXPECT_THROW(top_k(rows, rows, 2, 5, VectorSimilarity::kDot, pool), Error);
  EXPECT_THROW(top_k(rows, rows, 0, 5, VectorSimilarity::kDot, pool), Error);
  try {
    top_k(rows, rows, 1, 1, VectorSimilarity::kDot, pool, [](std::size_t) { return false; });
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kCancelled);
  }
}

TEST(TopK, NormalizesRows) {
  std::vector<float> rows{3, 4, 0, 0, 1e-30F, 0};
  normalize_rows(rows, 2);
  EXPECT_EQ(rows, (std::vector<float>{0.6F, 0.8F, 0, 0, 1, 0}));
}

}  // namespace
}  // namespace octavo::eval
