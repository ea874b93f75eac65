// The range of least Kullback-Leibler divergence, as HistogramCollector.get_entropy_threshold finds
// it. The histogram is symmetric around zero; a candidate keeps `half` bins on each side and gives
// the counts beyond to its outermost bins.
#include <algorithm>
#include <cmath>
#include <limits>

#include "quant/observers.h"

namespace octavo::quant {
namespace {

// What a bin without counts gets, taken from those that have some: the divergence stays finite.
constexpr double kSmoothing = 1e-4;

/// Adds kSmoothing to zeros and takes as much from the others; false where all are zero.
bool smooth(std::vector<double>& p) {
  const auto zeros = static_cast<double>(std::count(p.begin(), p.end(), 0.0));
  const double others = static_cast<double>(p.size()) - zeros;
  if (others == 0) return false;
  const double less = kSmoothing * zeros / others;
  for (double& x : p) x += x == 0 ? kSmoothing : -less;
  return true;
}

double divergence(const std::vector<double>& p, const std::vector<double>& q) {
  double sum_p = 0, sum_q = 0;
  for (const double x : p) sum_p += x;
  for (const double x : q) sum_q += x;
  const double shift = std::log(sum_q / sum_p);
  double out = 0;
  for (std::size_t i = 0; i < p.size(); ++i) out += p[i] * (std::log(p[i] / q[i]) + shift);
  return out / sum_p;
}

/// The divergence of the slice [begin, end) from itself in `levels` levels.
double slice_divergence(const std::vector<std::uint64_t>& counts, std::size_t begin,
                        std::size_t end, std::size_t levels, double below, double above) {
  const std::size_t size = end - begin, merged = size / levels;
  std::vector<double> p(size), q(size, 0.0);
  for (std::size_t i = 0; i < size; ++i) p[i] = static_cast<double>(counts[begin + i]);
  std::vector<double> slice = p;
  p.front() += below;
  p.back() += above;
  for (std::size_t level = 0; level < levels; ++level) {
    const std::size_t first = level * merged, last = first + merged;
    double sum = 0, filled = 0;
    for (std::size_t i = first; i < last; ++i) {
      sum += slice[i];
      filled += p[i] != 0 ? 1 : 0;
    }
    if (level + 1 == levels) {
      for (std::size_t i = last; i < size; ++i) sum += slice[i];
    }
    // Whole counts, as the original keeps them in integers.
    if (filled != 0)
      std::fill(q.begin() + static_cast<std::ptrdiff_t>(first),
                q.begin() + static_cast<std::ptrdiff_t>(last), std::floor(sum / filled));
  }
  if (!smooth(p) || !smooth(q)) return std::numeric_limits<double>::infinity();
  return divergence(p, q);
}

}  // namespace

TensorRange EntropyObserver::range() const {
  if (histogram().empty()) return {};
  const TensorRange seen = histogram().extent();
  const auto& counts = histogram().counts();
  const std::size_t bins = counts.size(), middle = bins / 2, least = options().quantized_levels / 2;
  double best = std::numeric_limits<double>::infinity();
  std::size_t best_half = middle;
  std::vector<double> before(bins + 1, 0.0);
  for (std::size_t i = 0; i < bins; ++i) before[i + 1] = before[i] + static_cast<double>(counts[i]);
  for (std::size_t half = std::min(least, middle); half <= middle; ++half) {
    const std::size_t begin = middle - half, end = std::min(middle + half + 1, bins);
    const double loss = slice_divergence(counts, begin, end, options().quantized_levels,
                                         before[begin], before[bins] - before[end]);
    if (loss < best) {
      best = loss;
      best_half = half;
    }
  }
  const auto low = static_cast<float>(histogram().edge(middle - best_half));
  const auto high = static_cast<float>(histogram().edge(std::min(middle + best_half + 1, bins)));
  TensorRange out{std::max(low, seen.min), std::min(high, seen.max)};
  // Where all values lie beyond one end of it, the candidate says nothing.
  if (out.min > out.max) out = seen;
  if (!options().symmetric) return out;
  const float most = std::max(std::abs(out.min), std::abs(out.max));
  return {-most, most};
}

}  // namespace octavo::quant
