// The HTML report of a benchmark.
#include <fmt/format.h>

#include <algorithm>
#include <ostream>

#include "base/file.h"
#include "eval/bench/charts.h"
#include "eval/report/html_page.h"
#include "eval/report/machine_facts.h"
#include "octavo/benchmark.h"

namespace octavo {
namespace {

using Rows = std::vector<std::vector<std::string>>;

std::string grouped(double value) {
  std::string out = fmt::format("{:.0f}", value);
  for (std::size_t at = out.size(); at > 3; at -= 3) out.insert(at - 3, 1, ',');
  return out;
}

// Four digits, as many as a time is worth.
std::string ms_text(double ms) {
  return ms >= 100 ? fmt::format("{:.1f}", ms) : fmt::format("{:.4g}", ms);
}

std::string tera(double operations) { return fmt::format("{:.3f}", operations / 1e12); }

std::string percent(double share) { return fmt::format("{:.1f} %", 100 * share); }

std::string case_text(const BenchmarkCase& what) {
  return fmt::format("{} x {}", what.batch, what.tokens);
}

std::string interval_text(const std::optional<Interval>& interval, std::string (*number)(double)) {
  return interval ? number(interval->low) + " to " + number(interval->high) : "";
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : ", ") + word;
  return out;
}

void add_machine(eval::HtmlPage& page, const BenchmarkResult& result, const std::string& command) {
  page.heading("Machine");
  auto facts = eval::machine_facts(result.threads, result.isa);
  facts.emplace_back("Model", result.model);
  facts.emplace_back("Command", command);
  page.facts(facts);
}

void add_peaks(eval::HtmlPage& page, const MachinePeaks& peaks) {
  page.heading("Limits of this machine");
  page.paragraph(
      "The best of many short runs of loops that do nothing but multiply and add in registers, and "
      "of reading a buffer beyond the caches. Measured by the same command, before and after the "
      "runs, on the same threads.");
  Rows rows;
  const auto threads = [](int count) {
    return fmt::format("{} {}", count, count == 1 ? "thread" : "threads");
  };
  for (const ComputePeak& peak : peaks.compute) {
    rows.push_back({peak.precision, peak.name, threads(peak.threads),
                    tera(peak.operations_per_second) + " TOPS"});
  }
  for (const MemoryPeak& peak : peaks.memory) {
    rows.push_back({"memory", fmt::format("read {} MiB", peaks.memory_bytes >> 20),
                    threads(peak.threads),
                    fmt::format("{:.1f} GB/s", peak.bytes_per_second / 1e9)});
  }
  page.table({"what", "loop", "on", "at most"}, rows);
}

void add_figures(eval::HtmlPage& page, const BenchmarkResult& result) {
  page.heading("Figures");
  page.paragraph(
      "Random token ids, every text of full length. TOPS counts two operations for every "
      "multiply-add of the linear layers and of attention; its limit is the peak of the precision, "
      "also for what the model computes in a wider type. Weights: reading those of the linear "
      "layers "
      "once from memory, which bounds a run of few tokens unless the caches keep them.");
  Rows rows;
  for (const BenchmarkFigure& f : result.figures) {
    const bool counted = f.multiply_adds > 0 && f.peak_operations_per_second > 0;
    rows.push_back({case_text(f.what), f.precision, ms_text(f.median_ms),
                    interval_text(f.ci95_ms, ms_text), counted ? ms_text(f.limit_ms) : "",
                    f.weights_ms > 0 ? ms_text(f.weights_ms) : "", ms_text(f.min_ms),
                    ms_text(f.p90_ms), std::to_string(f.runs), grouped(f.tokens_per_second),
                    counted ? tera(f.operations_per_second) : "",
                    counted ? tera(f.peak_operations_per_second) : "",
                    counted ? percent(f.share_of_peak) : ""});
  }
  page.table({"texts x tokens", "precision", "median ms", "95 % interval", "limit ms", "weights ms",
              "min ms", "p90 ms", "runs", "tokens/s", "TOPS", "limit TOPS", "share of limit"},
             rows);
}

void add_comparisons(eval::HtmlPage& page, const BenchmarkResult& result) {
  if (result.comparisons.empty()) return;
  page.heading("Comparison");
  page.paragraph(
      fmt::format("{} alternating rounds; each gives the ratio of the times of two precisions. A "
                  "precision wins where the 95 % interval of its median ratio to every other one "
                  "excludes 1.",
                  result.rounds));
  Rows rows;
  const auto ratio_text = [](double value) { return fmt::format("{:.3f}", value); };
  for (const BenchmarkComparison& comparison : result.comparisons) {
    for (const BenchmarkRatio& ratio : comparison.ratios) {
      rows.push_back({case_text(comparison.what), ratio.a + " / " + ratio.b,
                      ratio_text(ratio.median), interval_text(ratio.ci95, ratio_text),
                      comparison.winner.empty() ? "within the noise" : comparison.winner});
    }
  }
  page.table({"texts x tokens", "times", "ratio", "95 % interval", "fastest"}, rows);
}

void add_charts(eval::HtmlPage& page, const BenchmarkResult& result) {
  const std::vector<eval::Plot> charts = eval::benchmark_charts(result);
  if (charts.empty()) return;
  page.heading("Curves");
  page.body("<div class=\"plots\">\n");
  for (const eval::Plot& chart : charts) {
    page.figure(eval::render_svg(chart),
                chart.log_y ? "Both axes logarithmic; bars are 95 % intervals of the median."
                            : "Bars are 95 % intervals of the median.");
  }
  page.body("</div>\n");
}

void add_method(eval::HtmlPage& page, const BenchmarkResult& result) {
  page.heading("Method");
  page.paragraph(fmt::format(
      "Every case ran for at least {:.4g} s a precision after one or two runs that do not count. "
      "The interval of the median is that of order statistics: the number of runs below the true "
      "median is binomial, whatever the distribution of times. It takes the runs for independent; "
      "below six runs there is none. p90 is the smallest time that nine runs in ten did not "
      "exceed.",
      result.min_seconds));
}

}  // namespace

void write_benchmark_report(const std::string& path, const BenchmarkResult& result,
                            const std::string& command) {
  eval::HtmlPage page("Speed of " + result.model,
                      fmt::format("{}, {} {}, {}", joined(result.precisions), result.threads,
                                  result.threads == 1 ? "thread" : "threads", result.isa));
  const auto fastest = std::max_element(
      result.figures.begin(), result.figures.end(),
      [](const auto& a, const auto& b) { return a.tokens_per_second < b.tokens_per_second; });
  if (fastest != result.figures.end()) {
    page.paragraph(
        fmt::format("At most {} tokens a second ({}, {}{}).", grouped(fastest->tokens_per_second),
                    fastest->precision, case_text(fastest->what),
                    fastest->share_of_peak > 0
                        ? ", " + percent(fastest->share_of_peak) + " of the limit of this machine"
                        : ""));
  }
  add_charts(page, result);
  add_figures(page, result);
  add_comparisons(page, result);
  add_peaks(page, result.peaks);
  add_machine(page, result, command);
  add_method(page, result);
  write_file_atomically(path, [&](std::ostream& out) { out << page.text(); });
}

}  // namespace octavo
