// The charts of a benchmark: which figures go into which.
#pragma once

#include <vector>

#include "eval/report/svg_plot.h"
#include "octavo/benchmark.h"

namespace octavo::eval {

/// Latency of one text by length; tokens a second by batch, at the length that most batches have;
/// time a token by both. A series a precision, with its limit. Charts of fewer than two points in
/// every series are left out.
std::vector<Plot> benchmark_charts(const BenchmarkResult& result);

}  // namespace octavo::eval
