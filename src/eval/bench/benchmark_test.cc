// Cases and precisions from the command line; charts and the report from made-up figures.
#include "octavo/benchmark.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <sstream>

#include "eval/bench/cases.h"
#include "eval/bench/charts.h"
#include "octavo/error.h"

namespace octavo {
namespace {

std::string message_of(std::string_view list, bool cases) {
  try {
    if (cases) {
      parse_benchmark_cases(list);
    } else {
      parse_benchmark_precisions(list);
    }
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    return error.what();
  }
  return {};
}

TEST(BenchmarkCases, ReadsLists) {
  const std::vector<BenchmarkCase> expected = {{1, 128}, {32, 256}};
  EXPECT_EQ(parse_benchmark_cases("1x128,32x256"), expected);
  EXPECT_EQ(parse_benchmark_cases("1..2x3..4"),
            (std::vector<BenchmarkCase>{{1, 3}, {1, 4}, {2, 3}, {2, 4}}));
  EXPECT_EQ(parse_benchmark_cases("1x1..512,4x7..7").size(), 513u);
  for (const char* list : {"", ",", "1x", "x1", "1x2,", "0x5", "5x0", "1x2x3", "-1x4", "1 x4", "a",
                           "99999999999999999999x1", "1x4..2", "1x..2", "1x2..", "1x1..2..3",
                           "1..2147483647x1..2147483647"})
    EXPECT_NE(message_of(list, true).find("--cases"), std::string::npos) << list;
}

TEST(BenchmarkCases, PrecisionsAreKnownAndDifferent) {
  EXPECT_EQ(parse_benchmark_precisions("int8"), std::vector<std::string>{"int8"});
  EXPECT_EQ(parse_benchmark_precisions("auto"), std::vector<std::string>{"auto"});
  EXPECT_THROW(parse_benchmark_precisions("auto,fp32"), Error) << "the two may be one";
  EXPECT_EQ(parse_benchmark_precisions("fp32,bf16,fp16,int8").size(), 4u);
  for (const char* list : {"", "int3", "fp32,", "fp32,fp32", "FP32"})
    EXPECT_NE(message_of(list, false).find("--precision"), std::string::npos) << list;
}

TEST(BenchmarkCases, ASweepKeepsToWhatTheModelTakes) {
  const std::vector<BenchmarkCase> all = sweep_cases(std::nullopt), some = sweep_cases(100);
  EXPECT_EQ(all.front(), (BenchmarkCase{1, 16}));
  EXPECT_EQ(all[5], (BenchmarkCase{1, 512}));
  EXPECT_EQ(all[6], (BenchmarkCase{4, 256}));
  EXPECT_EQ(all.back(), (BenchmarkCase{256, 256}));
  EXPECT_EQ(all.size(), 13u);
  for (const BenchmarkCase& one : some) EXPECT_LE(one.tokens, 100u);
  EXPECT_EQ(some.size(), 3u + 7u);
}

BenchmarkResult made_up() {
  BenchmarkResult out;
  out.model = "models/<a & b>";
  out.isa = "avx2";
  out.threads = 2;
  out.rounds = 7;
  out.precisions = {"fp32", "int8"};
  for (const BenchmarkCase& what : sweep_cases(512)) {
    for (const std::string& precision : out.precisions) {
      BenchmarkFigure f{.what = what, .precision = precision, .ci95_ms = {}};
      const double tokens = static_cast<double>(what.batch * what.tokens);
      f.runs = 9;
      f.median_ms = tokens / (precision == "int8" ? 100 : 50);
      f.min_ms = f.median_ms * 0.9;
      f.p90_ms = f.median_ms * 1.2;
      if (what.tokens != 64) f.ci95_ms = Interval{f.median_ms * 0.95, f.median_ms * 1.1};
      f.tokens_per_second = tokens / f.median_ms * 1e3;
      f.multiply_adds = tokens * 1e6;
      f.operations_per_second = 2 * f.multiply_adds / f.median_ms * 1e3;
      f.peak_operations_per_second = 4 * f.operations_per_second;
      f.share_of_peak = 0.25;
      f.limit_ms = f.median_ms / 4;
      out.figures.push_back(f);
    }
    out.comparisons.push_back({what, {{"fp32", "int8", 2, Interval{1.9, 2.1}}}, "int8"});
  }
  out.comparisons.back().winner.clear();
  out.peaks.threads = 2;
  out.peaks.compute = {{"int8_avx2", "int8", 2, 1e11}};
  out.peaks.memory = {{2, 1e10}};
  return out;
}

TEST(BenchmarkCharts, HaveASeriesAndALimitAPrecision) {
  const std::vector<eval::Plot> charts = eval::benchmark_charts(made_up());
  ASSERT_EQ(charts.size(), 4u);
  for (const eval::Plot& chart : charts) {
    ASSERT_EQ(chart.series.size(), 4u) << chart.title;
    EXPECT_TRUE(chart.series[2].dashed && chart.series[3].dashed);
    EXPECT_EQ(chart.series[1].color, chart.series[3].color);
    EXPECT_NE(chart.series[0].color, chart.series[1].color);
  }
  const eval::PlotSeries& latency = charts[0].series[0];
  EXPECT_EQ(latency.points.size(), 6u);
  EXPECT_EQ(latency.points[0].y, 16.0 / 50);
  EXPECT_TRUE(latency.points[0].low);
  EXPECT_FALSE(latency.points[2].low);  // the case without an interval
  const eval::PlotSeries& throughput = charts[1].series[1];
  EXPECT_EQ(throughput.points.size(), 8u);  // 1x256 is a batch too
  EXPECT_DOUBLE_EQ(throughput.points[7].y, 1e5);
  EXPECT_LT(*throughput.points[7].low, 1e5);
  EXPECT_GT(*throughput.points[7].high, 1e5);
  EXPECT_DOUBLE_EQ(charts[2].series[0].points[0].y, 20);  // microseconds a token
}

TEST(BenchmarkCases, FitTheModelOrAreRefused) {
  const std::vector<BenchmarkCase> cases = {{1, 16}, {2, 128}, {1, 129}};
  EXPECT_EQ(eval::fitting_cases(cases, std::nullopt, false, "m"), cases);
  EXPECT_EQ(eval::fitting_cases(cases, 129, false, "m"), cases);
  EXPECT_EQ(eval::fitting_cases(cases, 128, true, "m"),
            (std::vector<BenchmarkCase>{{1, 16}, {2, 128}}));
  EXPECT_EQ(eval::fitting_cases(cases, 8, true, "m"), (std::vector<BenchmarkCase>{{1, 8}}));
  EXPECT_THROW(eval::fitting_cases(cases, 128, false, "m"), Error);
}

TEST(BenchmarkCharts, AreLeftOutWithoutACurve) {
  BenchmarkResult result = made_up();
  result.figures.resize(2);
  EXPECT_TRUE(eval::benchmark_charts(result).empty());
}

TEST(BenchmarkReport, HoldsItsSectionsAndNothingFromElsewhere) {
  const std::string path = testing::TempDir() + "benchmark_report_test.html";
  write_benchmark_report(path, made_up(), "octavo bench 'models/<a & b>' --report x.html");
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  std::remove(path.c_str());
  const std::string page = text.str();
  for (const char* part :
       {"<h2>Curves</h2>", "<h2>Figures</h2>", "<h2>Comparison</h2>",
        "<h2>Limits of this machine</h2>", "<h2>Machine</h2>", "<h2>Method</h2>",
        "prefers-color-scheme: dark", "width=device-width", "int8_avx2", "within the noise",
        "octavo bench &#39;models/&lt;a &amp; b&gt;&#39; --report x.html", "25.0 %", " UTC",
        "Latency by length", "Throughput by batch", "Time a token by length", "10.0 GB/s"})
    EXPECT_NE(page.find(part), std::string::npos) << part;
  EXPECT_EQ(page.find("<a & b>"), std::string::npos);
  for (const char* part : {"<script", "src=", "href=", "url(", "@import"})
    EXPECT_EQ(page.find(part), std::string::npos) << part;
}

}  // namespace
}  // namespace octavo
