#include "eval/bench/compare.h"

#include "eval/bench/statistics.h"

namespace octavo::eval {

BenchmarkComparison compare(const BenchmarkCase& what, std::span<const std::string> names,
                            const std::vector<std::vector<double>>& times) {
  BenchmarkComparison out{.what = what, .ratios = {}, .winner = {}};
  std::vector<std::size_t> wins(names.size(), 0);
  for (std::size_t a = 0; a < names.size(); ++a) {
    for (std::size_t b = a + 1; b < names.size(); ++b) {
      std::vector<double> ratios;
      for (std::size_t r = 0; r < times[a].size(); ++r) ratios.push_back(times[a][r] / times[b][r]);
      const std::optional<Interval> interval = median_interval(ratios);
      if (interval && interval->high < 1) ++wins[a];
      if (interval && interval->low > 1) ++wins[b];
      out.ratios.push_back({names[a], names[b], median(ratios), interval});
    }
  }
  for (std::size_t p = 0; p < names.size(); ++p) {
    if (names.size() > 1 && wins[p] + 1 == names.size()) out.winner = names[p];
  }
  return out;
}

}  // namespace octavo::eval
