#include "octavo/benchmark.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <utility>

#include "eval/bench/cases.h"
#include "eval/bench/compare.h"
#include "eval/bench/raise_peaks.h"
#include "eval/bench/statistics.h"
#include "octavo/error.h"
#include "octavo/model.h"

namespace octavo {
namespace {

constexpr std::array<std::string_view, 4> kPrecisions = {"fp32", "bf16", "fp16", "int8"};
constexpr std::size_t kRoundsToCompare = 7;

std::vector<std::string> split(std::string_view list) {
  std::vector<std::string> out;
  for (std::size_t at = 0; at <= list.size();) {
    const std::size_t end = std::min(list.find(',', at), list.size());
    out.emplace_back(list.substr(at, end - at));
    at = end + 1;
  }
  return out;
}

[[noreturn]] void fail_cases(const std::string& found) {
  throw Error(ErrorCode::kInvalidArgument,
              {.message = "--cases is not a list of batch sizes and lengths",
               .expected = "BATCHxTOKENS,... such as 1x128,32x256 or 1x1..512",
               .found = found,
               .fix = "for 32 texts of 256 tokens each: --cases 32x256"});
}

/// "8" or "1..512", from 1 to 2147483647.
std::pair<std::size_t, std::size_t> parse_range(std::string_view text, const std::string& word) {
  const auto number = [&](std::string_view digits) {
    std::int32_t value = 0;
    const char* stop = digits.data() + digits.size();
    const auto [end, error] = std::from_chars(digits.data(), stop, value);
    if (error != std::errc{} || end != stop || value < 1) fail_cases(word);
    return static_cast<std::size_t>(value);
  };
  const std::size_t dots = text.find("..");
  if (dots == std::string_view::npos) return {number(text), number(text)};
  const std::pair range = {number(text.substr(0, dots)), number(text.substr(dots + 2))};
  if (range.first > range.second) fail_cases(word);
  return range;
}

[[noreturn]] void fail_precisions(const std::string& found) {
  throw Error(ErrorCode::kInvalidArgument,
              {.message = "--precision is not a list of different precisions",
               .expected = "some of fp32, bf16, fp16, int8, with commas",
               .found = found,
               .fix = "to compare two of them: --precision fp32,int8"});
}

/// A loaded model in one precision, and its times of the case in work.
struct Entrant {
  Model model;
  std::vector<double> times;          // of every run
  std::vector<double> round_medians;  // of every round
};

BenchmarkFigure figure_of(const BenchmarkCase& what, const std::string& precision,
                          const Entrant& entrant) {
  BenchmarkFigure out{.what = what, .precision = precision, .ci95_ms = {}};
  out.runs = entrant.times.size();
  out.median_ms = eval::median(entrant.times);
  out.min_ms = eval::quantile(entrant.times, 1e-9);
  out.p90_ms = eval::quantile(entrant.times, 0.9);
  out.ci95_ms = eval::median_interval(entrant.times);
  const double seconds = out.median_ms / 1e3;
  out.tokens_per_second = static_cast<double>(what.batch * what.tokens) / seconds;
  out.multiply_adds = entrant.model.multiply_adds(what.batch, what.tokens);
  out.operations_per_second = 2 * out.multiply_adds / seconds;
  return out;
}

void hold_to_peak(BenchmarkFigure& figure, const MachinePeaks& peaks, std::size_t weight_bytes) {
  if (!peaks.memory.empty())
    figure.weights_ms =
        1e3 * static_cast<double>(weight_bytes) / peaks.memory.back().bytes_per_second;
  const ComputePeak* peak = peaks.find(figure.precision);
  if (figure.multiply_adds == 0 || peak == nullptr) return;
  figure.peak_operations_per_second = peak->operations_per_second;
  figure.share_of_peak = figure.operations_per_second / peak->operations_per_second;
  figure.limit_ms = 2e3 * figure.multiply_adds / peak->operations_per_second;
}

MachinePeaks peaks_for(const BenchmarkOptions& options, const std::vector<std::string>& precisions,
                       int threads, bool every) {
  PeakOptions wanted;
  wanted.threads = threads;
  wanted.isa = options.runtime.isa;
  wanted.every_loop = wanted.memory = every;
  if (!every) {
    wanted.precisions = precisions;
  } else if (std::ranges::find(precisions, "fp16") != precisions.end()) {
    wanted.precisions.emplace_back("fp16");
  }
  return measure_peaks(wanted);
}

}  // namespace

std::vector<BenchmarkCase> parse_benchmark_cases(std::string_view list) {
  std::vector<BenchmarkCase> out;
  for (const std::string& word : split(list)) {
    const std::size_t cross = word.find('x');
    if (cross == std::string::npos) fail_cases(word);
    const auto [least_batch, most_batch] = parse_range(word.substr(0, cross), word);
    const auto [least_tokens, most_tokens] = parse_range(word.substr(cross + 1), word);
    constexpr std::size_t kMostCases = 100000;
    if ((most_batch - least_batch + 1) > kMostCases / (most_tokens - least_tokens + 1))
      fail_cases(word);
    for (std::size_t batch = least_batch; batch <= most_batch; ++batch) {
      for (std::size_t tokens = least_tokens; tokens <= most_tokens; ++tokens)
        out.push_back({batch, tokens});
    }
  }
  return out;
}

std::vector<std::string> parse_benchmark_precisions(std::string_view list) {
  std::vector<std::string> out = split(list);
  if (out.size() == 1 && out.front() == "auto") return out;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const bool known =
        std::find(kPrecisions.begin(), kPrecisions.end(), out[i]) != kPrecisions.end();
    const auto here = out.begin() + static_cast<std::ptrdiff_t>(i);
    if (!known || std::find(out.begin(), here, out[i]) != here) fail_precisions(out[i]);
  }
  return out;
}

std::vector<BenchmarkCase> sweep_cases(std::optional<std::size_t> max_tokens) {
  constexpr std::size_t kLongest = 512, kBatchTokens = 256, kLargestBatch = 256;
  const std::size_t limit = max_tokens.value_or(kLongest);
  std::vector<BenchmarkCase> out;
  for (std::size_t tokens = 16; tokens <= kLongest; tokens *= 2) {
    if (tokens <= limit) out.push_back({1, tokens});
  }
  for (std::size_t batch = 4; batch <= kLargestBatch; batch *= 2)
    out.push_back({batch, std::min(kBatchTokens, limit)});
  return out;
}

BenchmarkResult run_benchmark(const std::string& model, const BenchmarkOptions& options) {
  BenchmarkResult out;
  out.model = model;
  out.precisions = options.precisions;
  out.min_seconds = options.min_seconds;
  out.rounds = options.rounds > 0          ? options.rounds
               : out.precisions.size() > 1 ? kRoundsToCompare
                                           : 1;
  std::vector<Entrant> entrants;
  for (const std::string& precision : out.precisions) {
    RuntimeOptions runtime = options.runtime;
    runtime.precision = precision;
    entrants.push_back({Model::load(model, runtime), {}, {}});
  }
  for (std::size_t i = 0; i < entrants.size(); ++i)
    out.precisions[i] = entrants[i].model.precision();
  const Model& first = entrants.front().model;
  out.isa = first.isa();
  out.threads = first.threads();
  const std::vector<BenchmarkCase> cases =
      options.cases.empty()
          ? sweep_cases(first.max_tokens())
          : eval::fitting_cases(options.cases, first.max_tokens(), options.skip_long_cases, model);
  out.peaks = peaks_for(options, out.precisions, out.threads, options.every_peak);
  const double seconds = options.min_seconds / static_cast<double>(out.rounds);
  const std::size_t runs = (options.min_runs + out.rounds - 1) / out.rounds;
  std::size_t done = 0;
  const std::size_t total = cases.size() * out.rounds;
  for (const BenchmarkCase& what : cases) {
    for (Entrant& entrant : entrants) {
      entrant.times.clear();
      entrant.round_medians.clear();
    }
    for (std::size_t round = 0; round < out.rounds; ++round) {
      // Who goes first changes from round to round.
      for (std::size_t i = 0; i < entrants.size(); ++i) {
        Entrant& entrant = entrants[(i + round) % entrants.size()];
        const std::vector<double> times =
            entrant.model.time_runs(what.batch, what.tokens, seconds, runs);
        entrant.round_medians.push_back(eval::median(times));
        entrant.times.insert(entrant.times.end(), times.begin(), times.end());
      }
      if (options.progress) options.progress(++done, total);
    }
    std::vector<std::vector<double>> rounds;
    for (std::size_t i = 0; i < entrants.size(); ++i) {
      out.figures.push_back(figure_of(what, out.precisions[i], entrants[i]));
      rounds.push_back(entrants[i].round_medians);
    }
    if (entrants.size() > 1) out.comparisons.push_back(eval::compare(what, out.precisions, rounds));
  }
  eval::raise_peaks(out.peaks, peaks_for(options, out.precisions, out.threads, false));
  for (std::size_t i = 0; i < out.figures.size(); ++i) {
    hold_to_peak(out.figures[i], out.peaks,
                 entrants[i % entrants.size()].model.linear_weight_bytes());
  }
  return out;
}

}  // namespace octavo
