#include "eval/report/axis.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "eval/report/svg_plot.h"

namespace octavo::eval {

std::vector<double> round_ticks(double low, double high, int count, bool log) {
  std::vector<double> out;
  if (log) {
    // All of 1, 2, 5 over a few decades, else the decades alone, or some of them.
    const int first = static_cast<int>(std::floor(std::log10(low) + 1e-9));
    const int last = static_cast<int>(std::ceil(std::log10(high) - 1e-9));
    const int decades = std::max(last - first, 1), step = std::max(decades / std::max(count, 1), 1);
    const bool fine = 3 * decades <= 2 * count;
    for (int decade = first; decade <= last; decade += step) {
      for (const double factor : {1.0, 2.0, 5.0}) {
        if (factor > 1 && !fine) break;
        out.push_back(factor * std::pow(10.0, decade));
      }
    }
    // No more at either end than it takes to hold the values.
    while (out.size() > 2 && out[1] <= low * (1 + 1e-9)) out.erase(out.begin());
    while (out.size() > 2 && out[out.size() - 2] >= high * (1 - 1e-9)) out.pop_back();
    return out;
  }
  const double span = high > low ? high - low : std::max(std::abs(high), 1.0);
  const double rough = span / std::max(count, 1);
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  const double unit = rough / power;
  const double step = power * (unit <= 1 ? 1 : unit <= 2 ? 2 : unit <= 5 ? 5 : 10);
  const double first = std::floor(low / step + 1e-9);
  const double last = std::max(std::ceil(high / step - 1e-9), first + 1);
  // Beyond it neighbours are one double, and counting stands still.
  constexpr double kMostExact = 1e15;
  const auto exact = [&](double i) {
    return std::abs(i) < kMostExact && std::isfinite(i * step) && step > 0;
  };
  if (!exact(first) || !exact(last)) return {low, high};
  const int steps = static_cast<int>(last - first);
  for (int i = 0; i <= steps; ++i) out.push_back((first + i) * step);
  return out;
}

std::string tick_label(double value) {
  const double size = std::abs(value);
  if (size >= 1e9) return fmt::format("{:.4g}G", value / 1e9);
  if (size >= 1e6) return fmt::format("{:.4g}M", value / 1e6);
  if (size >= 1e4) return fmt::format("{:.4g}k", value / 1e3);
  if (size >= 1e3) {
    const long whole = std::lround(size);
    return fmt::format("{}{},{:03}", value < 0 ? "-" : "", whole / 1000, whole % 1000);
  }
  return fmt::format("{:.4g}", value);
}

Axis::Axis(const std::vector<double>& values, bool log, double from, double to)
    : log_(log), from_(from), to_(to) {
  if (values.empty()) {
    low_ = log ? 1 : 0;
    high_ = log ? 10 : 1;
    return;
  }
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  low_ = *low;
  high_ = *high;
  if (low_ < high_) return;
  const double margin = log ? low_ / 2 : std::max(std::abs(low_) / 2, 0.5);
  low_ -= margin;
  high_ += margin;
}

void Axis::use_ticks(std::vector<double> ticks) {
  ticks_ = std::move(ticks);
  low_ = std::min(low_, ticks_.front());
  high_ = std::max(high_, ticks_.back());
}

double Axis::place(double value) const {
  const double share = log_
                           ? (std::log(value) - std::log(low_)) / (std::log(high_) - std::log(low_))
                           : (value - low_) / (high_ - low_);
  return from_ + share * (to_ - from_);
}

}  // namespace octavo::eval
