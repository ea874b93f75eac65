// Semantic textual similarity: the STS benchmark's file and the correlations between model and
// human scores.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace octavo::eval {

struct StsPair {
  double score;
  std::string first, second;
};

/// Tab-separated without quoting and without header: the score in column 5, the sentences in
/// columns 6 and 7 (from 1); further columns are ignored. Error(kInvalidFile) with file and line.
std::vector<StsPair> parse_sts(std::string_view text, const std::string& file);

/// Ranks from 1; equal values share the average of their ranks (scipy.stats.rankdata).
std::vector<double> average_ranks(std::span<const double> values);

/// Pearson's r; NaN for fewer than two values or when one side is constant, as
/// scipy.stats.pearsonr. Equal sizes.
double pearson(std::span<const double> a, std::span<const double> b);
/// Spearman's rho: Pearson's r of the average ranks.
double spearman(std::span<const double> a, std::span<const double> b);

/// Similarities of the rows of two float32 [n, dims] matrices, in double; the distances negated.
struct PairSimilarities {
  std::vector<double> cosine, manhattan, euclidean;
};
PairSimilarities pair_similarities(std::span<const float> first, std::span<const float> second,
                                   std::size_t dims);

}  // namespace octavo::eval
