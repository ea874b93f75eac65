#include "quant/histogram.h"

#include <algorithm>
#include <cmath>

#include "quant/observer.h"

namespace octavo::quant {

double Histogram::edge(std::size_t i) const {
  const double share = static_cast<double>(i) / static_cast<double>(counts_.size());
  return magnitudes_ ? limit_ * share : limit_ * (2 * share - 1);
}

void Histogram::begin(double limit) {
  limit_ = limit;
  // Zeros alone tell nothing of the width: they are counted again where zero comes to lie.
  counts_.assign(first_bins_, 0);
  if (total_ != 0) counts_[magnitudes_ ? 0 : first_bins_ / 2] = total_;
}

void Histogram::merge_pairs() {
  const std::size_t size = counts_.size();
  if (magnitudes_) {
    // An odd number of bins gets an empty last one.
    if (size % 2 != 0) {
      limit_ += limit_ / static_cast<double>(size);
      counts_.push_back(0);
    }
  } else if (size % 4 != 0) {
    // Half the bins lie on each side of zero, and zero stays an edge.
    limit_ += 2 * limit_ / static_cast<double>(size);
    counts_.insert(counts_.begin(), 0);
    counts_.push_back(0);
  }
  for (std::size_t i = 0; i < counts_.size() / 2; ++i)
    counts_[i] = counts_[2 * i] + counts_[2 * i + 1];
  counts_.resize(counts_.size() / 2);
}

void Histogram::grow(double limit) {
  const auto width = [&] {
    return (magnitudes_ ? 1.0 : 2.0) * limit_ / static_cast<double>(counts_.size());
  };
  const double most = static_cast<double>(2 * first_bins_) / (magnitudes_ ? 1 : 2);
  while (std::floor((limit - limit_) / width() + 1) + limit_ / width() > most + 0.5) merge_pairs();
  const auto more = static_cast<std::size_t>(std::floor((limit - limit_) / width() + 1));
  limit_ += width() * static_cast<double>(more);
  counts_.resize(counts_.size() + more, 0);
  if (!magnitudes_) {
    counts_.resize(counts_.size() + more, 0);
    std::rotate(counts_.begin(), counts_.end() - static_cast<std::ptrdiff_t>(more), counts_.end());
  }
}

void Histogram::add(std::span<const float> values) {
  if (values.empty()) return;
  const TensorRange range = quant::extent(values);
  const double limit =
      std::max(std::abs(static_cast<double>(range.min)), std::abs(static_cast<double>(range.max)));
  extent_ = total_ == 0
                ? range
                : TensorRange{std::min(extent_.min, range.min), std::max(extent_.max, range.max)};
  if (limit_ == 0) {
    begin(limit);
  } else if (limit > limit_) {
    grow(limit);
  }
  total_ += values.size();
  const std::size_t last = counts_.size() - 1;
  if (limit_ == 0) {
    counts_[magnitudes_ ? 0 : counts_.size() / 2] += values.size();
    return;
  }
  const double bins = static_cast<double>(counts_.size());
  const double scale = bins / (magnitudes_ ? limit_ : 2 * limit_);
  const double shift = magnitudes_ ? 0 : bins / 2;
  for (const float value : values) {
    const double x = magnitudes_ ? std::abs(static_cast<double>(value)) : value;
    const auto bin = static_cast<std::int64_t>(x * scale + shift);
    ++counts_[std::min(static_cast<std::size_t>(std::max<std::int64_t>(bin, 0)), last)];
  }
}

std::vector<double> Histogram::state() const {
  std::vector<double> out{limit_, extent_.min, extent_.max};
  for (const std::uint64_t count : counts_) out.push_back(static_cast<double>(count));
  return out;
}

bool Histogram::restore(std::span<const double> state) {
  if (state.size() < 3) return false;
  const std::size_t bins = state.size() - 3;
  const bool any = bins != 0;
  if (bins > 2 * first_bins_ || (any && bins < first_bins_ / 2) ||
      (!magnitudes_ && bins % 2 != 0) ||
      !std::all_of(state.begin(), state.end(), [](double x) { return std::isfinite(x); })) {
    return false;
  }
  constexpr double kMost = 9007199254740992.0;  // 2^53: counts are exact
  double total = 0;
  for (const double count : state.subspan(3)) {
    if (count < 0 || count != std::floor(count) || count > kMost) return false;
    total += count;
  }
  const double magnitude = std::max(std::abs(state[1]), std::abs(state[2]));
  if (total > kMost || state[0] < magnitude * (1 - 1e-6) || state[1] > state[2] ||
      (any && total == 0)) {
    return false;
  }
  limit_ = state[0];
  extent_ = {static_cast<float>(state[1]), static_cast<float>(state[2])};
  counts_.clear();
  for (const double count : state.subspan(3)) counts_.push_back(static_cast<std::uint64_t>(count));
  total_ = static_cast<std::uint64_t>(total);
  return true;
}

}  // namespace octavo::quant
