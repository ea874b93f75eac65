#include "eval/compare/vectors.h"

#include <algorithm>
#include <cmath>

#include "eval/bench/statistics.h"

namespace octavo::eval {
namespace {

constexpr double kShares[] = {0.01, 0.05, 0.25, 0.5, 0.75};
constexpr std::size_t kExcerpt = 120;  // bytes of the worst text

double cosine(const float* a, const float* b, std::size_t dims) {
  double dot = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < dims; ++i) {
    dot += double{a[i]} * double{b[i]};
    aa += double{a[i]} * double{a[i]};
    bb += double{b[i]} * double{b[i]};
  }
  if (aa == 0 || bb == 0) return aa == bb ? 1 : 0;
  return dot / std::sqrt(aa * bb);
}

/// The beginning of a text, not cut within a UTF-8 sequence.
std::string excerpt(const std::string& text) {
  if (text.size() <= kExcerpt) return text;
  std::size_t end = kExcerpt;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end) + "...";
}

}  // namespace

VectorAgreement agreement(std::span<const std::string> texts, std::span<const float> baseline,
                          std::span<const float> other, std::size_t dims) {
  VectorAgreement out;
  out.texts = texts.size();
  std::vector<double> cosines;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const double value = cosine(baseline.data() + i * dims, other.data() + i * dims, dims);
    if (cosines.empty() || value < out.min_cosine) {
      out.min_cosine = value;
      out.worst_text = excerpt(texts[i]);
    }
    cosines.push_back(value);
  }
  for (std::size_t i = 0; i < baseline.size(); ++i) {
    out.max_absolute_error =
        std::max(out.max_absolute_error, std::abs(double{baseline[i]} - double{other[i]}));
  }
  if (cosines.empty()) return out;
  out.mean_cosine = 0;
  for (const double value : cosines) out.mean_cosine += value / static_cast<double>(cosines.size());
  for (const double share : kShares) {
    out.quantiles.emplace_back(share, quantile(cosines, share));
  }
  return out;
}

}  // namespace octavo::eval
