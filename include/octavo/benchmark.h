// Speed of a model on this machine: latency and throughput of batches of random tokens, each figure
// with its confidence interval and the limit that the machine sets, precisions side by side in
// alternating rounds, and a report as one HTML file.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "octavo/peaks.h"
#include "octavo/runtime_options.h"

namespace octavo {

struct BenchmarkCase {
  std::size_t batch = 0;   // texts
  std::size_t tokens = 0;  // of each
  bool operator==(const BenchmarkCase&) const = default;
};

/// "1x128,32x256", or with ranges "1x1..512". Throws kInvalidArgument for anything else.
std::vector<BenchmarkCase> parse_benchmark_cases(std::string_view list);
/// "fp32,int8": known precisions, each once; or "auto" alone. Throws kInvalidArgument for anything
/// else.
std::vector<std::string> parse_benchmark_precisions(std::string_view list);
/// One text of 16, 32, ... 512 tokens, and 4, 8, ... 256 texts of 256 tokens, as far as the model
/// takes them.
std::vector<BenchmarkCase> sweep_cases(std::optional<std::size_t> max_tokens);

struct BenchmarkOptions {
  RuntimeOptions runtime{};  // but for the precision
  std::vector<std::string> precisions = {"auto"};
  std::vector<BenchmarkCase> cases{};  // empty: sweep_cases()
  bool skip_long_cases = false;  // those of more tokens than the model takes, instead of an Error
  double min_seconds = 1;        // a case and precision, over all rounds
  std::size_t min_runs = 3;      // the same
  std::size_t rounds = 0;        // 0: 1 for one precision, 7 for several
  bool every_peak = false;  // measure all peaks and the memory, not only those of the precisions
  /// Called after each case of a round.
  std::function<void(std::size_t done, std::size_t total)> progress{};
};

struct Interval {
  double low = 0, high = 0;
};

struct BenchmarkFigure {
  BenchmarkCase what;
  std::string precision;
  std::size_t runs = 0;
  double median_ms = 0, min_ms = 0, p90_ms = 0;
  /// 95 % interval of the median by order statistics (binomial), which takes runs for independent;
  /// nothing below 6 runs.
  std::optional<Interval> ci95_ms;
  double tokens_per_second = 0;
  /// Of the linear layers and of attention in a run; 0 when unknown, and the rest with it.
  double multiply_adds = 0;
  double operations_per_second = 0;  // two a multiply-add, at the median
  /// The same of the strongest loop in this precision. All operations are held to it, also those
  /// that the model computes in a wider type.
  double peak_operations_per_second = 0;
  double share_of_peak = 0, limit_ms = 0;  // limit: the run at the peak
  /// Reading the packed weights of the linear layers once, at the bandwidth of the memory; 0 when
  /// that was not measured. What the caches keep from run to run need not be read.
  double weights_ms = 0;
};

/// Two precisions over the rounds of a case: time of `a` / time of `b`, a ratio of medians a round.
struct BenchmarkRatio {
  std::string a, b;
  double median = 0;
  std::optional<Interval> ci95;  // of the median ratio; nothing below 6 rounds
};

struct BenchmarkComparison {
  BenchmarkCase what;
  std::vector<BenchmarkRatio> ratios;  // every pair
  /// The precision whose ratio to every other one excludes 1 in its favour; empty: within the
  /// noise.
  std::string winner;
};

struct BenchmarkResult {
  std::string model, isa;
  int threads = 1;
  std::size_t rounds = 1;
  double min_seconds = 0;
  std::vector<std::string> precisions;
  std::vector<BenchmarkFigure> figures;  // case by case, in each the precisions
  std::vector<BenchmarkComparison> comparisons;
  MachinePeaks peaks;
};

/// Loads the model once a precision. Errors as Model::load() and Model::time_runs(), and
/// kInvalidArgument for a case that is too long, before anything is timed.
BenchmarkResult run_benchmark(const std::string& model, const BenchmarkOptions& options);

/// One HTML file without references to anything else; `command` is the command line that it names.
/// Atomic. Throws kIo.
void write_benchmark_report(const std::string& path, const BenchmarkResult& result,
                            const std::string& command);

}  // namespace octavo
