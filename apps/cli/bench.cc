// octavo bench: how long a model takes for batches of random tokens, without padding, beside what
// the machine could do.
#include <fmt/format.h>

#include <memory>

#include "flags.h"
#include "format.h"
#include "interrupt.h"
#include "octavo/benchmark.h"
#include "progress.h"
#include "verbs.h"

namespace octavo::cli {
namespace {

constexpr const char* kDefaultCases = "1x16,1x128,1x512,8x128,32x256";

Json to_json(const std::optional<Interval>& interval) {
  return interval ? Json{interval->low, interval->high} : Json(nullptr);
}

Json positive(double value) { return value > 0 ? Json(value) : Json(nullptr); }

Json to_json(const BenchmarkFigure& f) {
  return {{"batch", f.what.batch},
          {"tokens", f.what.tokens},
          {"precision", f.precision},
          {"median_ms", f.median_ms},
          {"ci95_ms", to_json(f.ci95_ms)},
          {"min_ms", f.min_ms},
          {"p90_ms", f.p90_ms},
          {"runs", f.runs},
          {"tokens_per_second", f.tokens_per_second},
          {"multiply_adds", positive(f.multiply_adds)},
          {"tops", positive(f.operations_per_second / 1e12)},
          {"peak_tops", positive(f.peak_operations_per_second / 1e12)},
          {"share_of_peak", positive(f.share_of_peak)},
          {"limit_ms", positive(f.limit_ms)},
          {"weights_ms", positive(f.weights_ms)}};
}

Json to_json(const MachinePeaks& peaks) {
  Json compute = Json::array(), memory = Json::array();
  for (const ComputePeak& peak : peaks.compute) {
    compute.push_back({{"precision", peak.precision},
                       {"loop", peak.name},
                       {"threads", peak.threads},
                       {"tops", peak.operations_per_second / 1e12}});
  }
  for (const MemoryPeak& peak : peaks.memory)
    memory.push_back(
        {{"threads", peak.threads}, {"read_gb_per_second", peak.bytes_per_second / 1e9}});
  return {{"compute", compute}, {"memory", memory}};
}

Json to_json(const BenchmarkComparison& comparison) {
  Json ratios = Json::array();
  for (const BenchmarkRatio& ratio : comparison.ratios) {
    ratios.push_back({{"a", ratio.a},
                      {"b", ratio.b},
                      {"time_ratio", ratio.median},
                      {"ci95", to_json(ratio.ci95)}});
  }
  const bool won = !comparison.winner.empty();
  return {{"batch", comparison.what.batch},
          {"tokens", comparison.what.tokens},
          {"ratios", ratios},
          {"winner", won ? Json(comparison.winner) : Json(nullptr)},
          {"verdict", won ? comparison.winner + " is faster" : "within the noise"}};
}

std::string ms_text(double ms) {
  if (ms < 0.1) return fmt::format("{:.2g}", ms);
  if (ms < 100) return fmt::format("{:.3f}", ms);
  return fmt::format("{:.1f}", ms);
}

struct BenchCommand {
  explicit BenchCommand(Context& the_context) : context(the_context) {}

  Context& context;
  std::string model, cases, precisions = "auto", report;
  bool sweep = false;
  BenchmarkOptions options{};
  std::optional<std::size_t> min_runs{};

  void run() {
    options.precisions = parse_benchmark_precisions(precisions);
    // A report without cases of its own is one of the sweep.
    const bool sweeps = sweep || (!report.empty() && cases.empty());
    if (!sweeps) options.cases = parse_benchmark_cases(cases.empty() ? kDefaultCases : cases);
    options.skip_long_cases = cases.empty();
    options.every_peak = !report.empty();
    // As many as an interval takes, where one is to be shown.
    options.min_runs = min_runs.value_or(report.empty() ? 3 : 6);
    check_place_of("report", "--report", report);
    Progress progress(context.console);
    options.progress = [&](std::size_t done, std::size_t total) {
      progress.update("cases", done, 0, static_cast<double>(done) / static_cast<double>(total));
    };
    const BenchmarkResult result = run_benchmark(model, options);
    progress.clear();
    const Interruptible guard;
    if (!report.empty()) write_benchmark_report(report, result, context.command_line);
    Console& console = context.console;
    if (console.json) return print_json(result);
    console.out() << figures_text(result) << comparisons_text(result) << peaks_text(result);
    if (!report.empty()) console.note("octavo: report written to " + report);
  }

  void print_json(const BenchmarkResult& result) {
    Json results = Json::array(), comparisons = Json::array();
    for (const BenchmarkFigure& figure : result.figures) results.push_back(to_json(figure));
    for (const auto& comparison : result.comparisons) comparisons.push_back(to_json(comparison));
    Json out = {{"results", results},
                {"isa", result.isa},
                {"precision", fmt::format("{}", fmt::join(result.precisions, ","))},
                {"threads", result.threads},
                {"min_time", result.min_seconds},
                {"rounds", result.rounds},
                {"peaks", to_json(result.peaks)}};
    if (!result.comparisons.empty()) out["comparisons"] = comparisons;
    if (!report.empty()) out["report"] = report;
    context.console.print_json(out);
  }

  static std::string figures_text(const BenchmarkResult& result) {
    Table table({"batch", "tokens", "", "median ms", "95 % interval", "p90 ms", "limit ms", "share",
                 "tokens/s"});
    for (const BenchmarkFigure& f : result.figures) {
      const bool counted = f.share_of_peak > 0;
      table.add({std::to_string(f.what.batch), std::to_string(f.what.tokens), f.precision,
                 ms_text(f.median_ms),
                 f.ci95_ms ? ms_text(f.ci95_ms->low) + " - " + ms_text(f.ci95_ms->high) : "-",
                 ms_text(f.p90_ms), counted ? ms_text(f.limit_ms) : "-",
                 counted ? fmt::format("{:.1f} %", 100 * f.share_of_peak) : "-",
                 group_digits(static_cast<std::size_t>(f.tokens_per_second))});
    }
    return table.text();
  }

  static std::string comparisons_text(const BenchmarkResult& result) {
    if (result.comparisons.empty()) return {};
    Table table({"batch", "tokens", "times", "ratio", "95 % interval", "fastest"});
    for (const BenchmarkComparison& comparison : result.comparisons) {
      for (const BenchmarkRatio& ratio : comparison.ratios) {
        table.add(
            {std::to_string(comparison.what.batch), std::to_string(comparison.what.tokens),
             ratio.a + " / " + ratio.b, fmt::format("{:.3f}", ratio.median),
             ratio.ci95 ? fmt::format("{:.3f} - {:.3f}", ratio.ci95->low, ratio.ci95->high) : "-",
             comparison.winner.empty() ? "within the noise" : comparison.winner});
      }
    }
    return "\n" + table.text();
  }

  static std::string peaks_text(const BenchmarkResult& result) {
    std::string out = fmt::format("\n{}, {}; limits:", result.isa,
                                  plural(static_cast<std::size_t>(result.threads), "thread"));
    for (const std::string& precision : result.precisions) {
      if (const ComputePeak* peak = result.peaks.find(precision))
        out += fmt::format(" {} {:.3f} TOPS ({})", precision, peak->operations_per_second / 1e12,
                           peak->name);
    }
    return out + "\n";
  }
};

}  // namespace

void define_bench(Command& command, Context& context) {
  const auto self = std::make_shared<BenchCommand>(context);
  CLI::App& app = command.app;
  BenchmarkOptions& options = self->options;
  add_model(app, self->model);
  auto* cases = app.add_option("--cases", self->cases,
                               fmt::format("BATCHxTOKENS,... or 1x1..512 ({})", kDefaultCases));
  cases->type_name("LIST");
  app.add_flag("--sweep", self->sweep, "one text of 16 to 512 tokens, and 4 to 256 texts of 256")
      ->excludes(cases);
  app.add_option("--report", self->report, "write a page with curves; of --sweep without --cases")
      ->type_name("FILE.html");
  app.add_option("--min-time", options.min_seconds, "seconds a case, at least (1)")
      ->type_name("S")
      ->check(CLI::NonNegativeNumber);
  app.add_option_function<std::size_t>(
         "--min-runs", [self](std::size_t runs) { self->min_runs = runs; },
         "runs a case, at least (3; 6 with --report)")
      ->type_name("N")
      ->check(CLI::Range(1, 1000000));
  app.add_option("--rounds", options.rounds,
                 "turns that the precisions take (7 for several); 6 at least tell them apart")
      ->type_name("N")
      ->check(CLI::Range(1, 10000));
  add_runtime_flags(app, context, options.runtime);
  app.remove_option(app.get_option("--precision"));
  app.add_option("--precision", self->precisions,
                 "auto, fp32, bf16, fp16, int8, or several with commas")
      ->type_name("LIST")
      ->group(kModelGroup);
  command.about =
      "Random token ids, every sequence of full length; the median of the runs counts. The limit "
      "is "
      "what the multiply-adds of a run take at the peak that the machine reaches in this "
      "precision, "
      "measured before and after. Several precisions take turns; the fastest is named only where "
      "the 95 % "
      "intervals of the ratios show it.";
  command.examples = {"octavo bench models/minilm --cases 1x128,32x256 --threads 2",
                      "octavo bench models/minilm --precision fp32,int8 --rounds 15",
                      "octavo bench models/minilm --report speed.html"};
  command.run = [self] { self->run(); };
}

}  // namespace octavo::cli
