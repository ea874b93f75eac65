#include "eval/sts.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "eval/text.h"

namespace octavo::eval {
namespace {

constexpr std::size_t kScoreColumn = 4, kFirstColumn = 5, kSecondColumn = 6;

std::vector<double> centered(std::span<const double> values) {
  const double mean =
      std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
  std::vector<double> out(values.begin(), values.end());
  for (double& value : out) value -= mean;
  return out;
}

}  // namespace

std::vector<StsPair> parse_sts(std::string_view text, const std::string& file) {
  std::vector<StsPair> pairs;
  for_each_line(text, file, [&](std::string_view line, const LineContext& where) {
    const auto fields = split_tabs(line);
    if (fields.size() <= kSecondColumn) {
      where.fail(
          "a line has too few columns", "at least 7 columns, separated by tabs",
          std::to_string(fields.size()) + " columns: " + quote(line),
          "give the file of the STS benchmark as it is published (sts-dev.csv, sts-test.csv)");
    }
    const auto score = parse_double(fields[kScoreColumn]);
    if (!score || !std::isfinite(*score)) {
      where.fail("a score is not a number", "a finite number in column 5",
                 quote(fields[kScoreColumn]), "remove the line, or a header if there is one");
    }
    pairs.push_back(
        {*score, std::string(fields[kFirstColumn]), std::string(fields[kSecondColumn])});
  });
  return pairs;
}

std::vector<double> average_ranks(std::span<const double> values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
  std::vector<double> ranks(values.size());
  for (std::size_t begin = 0; begin < order.size();) {
    std::size_t end = begin + 1;
    while (end < order.size() && values[order[end]] == values[order[begin]]) ++end;
    const double rank = static_cast<double>(begin + 1 + end) / 2;
    for (; begin < end; ++begin) ranks[order[begin]] = rank;
  }
  return ranks;
}

double pearson(std::span<const double> a, std::span<const double> b) {
  constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
  if (a.size() != b.size() || a.size() < 2) return kNone;
  const auto constant = [](std::span<const double> v) {
    return std::all_of(v.begin(), v.end(), [&](double x) { return x == v[0]; });
  };
  if (constant(a) || constant(b)) return kNone;
  const std::vector<double> x = centered(a), y = centered(b);
  const auto dot = [](const std::vector<double>& u, const std::vector<double>& v) {
    return std::inner_product(u.begin(), u.end(), v.begin(), 0.0);
  };
  return std::clamp(dot(x, y) / (std::sqrt(dot(x, x)) * std::sqrt(dot(y, y))), -1.0, 1.0);
}

double spearman(std::span<const double> a, std::span<const double> b) {
  const auto has_nan = [](std::span<const double> v) {
    return std::any_of(v.begin(), v.end(), [](double x) { return std::isnan(x); });
  };
  if (has_nan(a) || has_nan(b)) return std::numeric_limits<double>::quiet_NaN();
  return pearson(average_ranks(a), average_ranks(b));
}

PairSimilarities pair_similarities(std::span<const float> first, std::span<const float> second,
                                   std::size_t dims) {
  PairSimilarities out;
  const std::size_t rows = dims == 0 ? 0 : std::min(first.size(), second.size()) / dims;
  for (std::size_t r = 0; r < rows; ++r) {
    double dot = 0, norm_a = 0, norm_b = 0, manhattan = 0, squares = 0;
    for (std::size_t i = r * dims; i < (r + 1) * dims; ++i) {
      const double a = first[i], b = second[i];
      dot += a * b;
      norm_a += a * a;
      norm_b += b * b;
      manhattan += std::abs(a - b);
      squares += (a - b) * (a - b);
    }
    const double norms = std::sqrt(norm_a) * std::sqrt(norm_b);
    out.cosine.push_back(norms > 0 ? dot / norms : 0.0);
    out.manhattan.push_back(-manhattan);
    out.euclidean.push_back(-std::sqrt(squares));
  }
  return out;
}

}  // namespace octavo::eval
