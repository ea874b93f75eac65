// Which of several precisions is the fastest in a case, and whether that can be said at all.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "octavo/benchmark.h"

namespace octavo::eval {

/// times[p][r]: median of round r with precision p, in the order of `names`; rounds of equal index
/// ran next to each other, so that what slowed one down is likely to have slowed the others.
BenchmarkComparison compare(const BenchmarkCase& what, std::span<const std::string> names,
                            const std::vector<std::vector<double>>& times);

}  // namespace octavo::eval
