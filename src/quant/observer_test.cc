// Observers against the ranges that onnxruntime's calibrators find for the same streams
// (tests/tools/make_calibration_expectations.py writes them), and what they promise beyond that:
// bounded memory and a state that can be stored.
#include "quant/observer.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/json.h"
#include "octavo/error.h"
#include "quant/histogram.h"

namespace octavo::quant {
namespace {

/// As samples() of make_calibration_expectations.py.
std::vector<std::vector<float>> samples(std::string_view kind, std::uint32_t seed,
                                        std::size_t count, std::size_t size) {
  std::uint32_t state = seed;
  std::vector<std::vector<float>> out(count, std::vector<float>(size, 0.0f));
  for (std::size_t n = 0; n < count; ++n) {
    for (std::size_t i = 1; i < size; ++i) {
      std::uint32_t total = 0;
      for (int draw = 0; draw < 4; ++draw) {
        state = state * 1664525u + 1013904223u;
        total += state >> 8;
      }
      double x = static_cast<double>(total) / (1 << 24) - 2.0;
      if (kind == "skewed") x = x * x * 3.0 - 0.25;
      if (kind == "outliers" && i % 509 == 0) x *= 8.0;
      if (kind == "growing") x *= 1.0 + 0.1 * static_cast<double>(n);
      out[n][i] = static_cast<float>(x);
    }
  }
  return out;
}

ObserverOptions options_of(const JsonValue& test) {
  ObserverOptions options;
  options.method = parse_calibration_method(test.at("method").as_string());
  options.symmetric = test.at("symmetric").as_bool();
  options.percentile = test.double_or("percentile", options.percentile);
  options.bins = static_cast<std::size_t>(test.int_or("bins", 2048));
  options.quantized_levels = static_cast<std::size_t>(test.int_or("quantized_levels", 128));
  return options;
}

TEST(Observers, FindTheRangesOfOnnxruntime) {
  const JsonDocument document = JsonDocument::parse_file("tests/data/calibration/observers.json");
  const JsonValue root = document.root();
  std::size_t cases = 0;
  for (const JsonValue test : root.at("cases").elements()) {
    const ObserverOptions options = options_of(test);
    SCOPED_TRACE(std::string(test.at("kind").as_string()) + " " +
                 std::string(test.at("method").as_string()) +
                 (options.symmetric ? " symmetric" : ""));
    const auto observer = make_observer(options);
    double largest = 0;
    for (const auto& sample :
         samples(test.at("kind").as_string(), static_cast<std::uint32_t>(root.at("seed").as_int()),
                 static_cast<std::size_t>(root.at("samples").as_int()),
                 static_cast<std::size_t>(root.at("size").as_int()))) {
      observer->observe(sample);
      for (const float x : sample) largest = std::max(largest, std::abs(static_cast<double>(x)));
    }
    std::vector<double> expected;
    for (const JsonValue x : test.at("range").elements()) expected.push_back(x.as_double());
    const TensorRange found = observer->range();
    // Histograms: within a bin. onnxruntime clamps one side of a symmetric percentile to what it
    // has seen; the other is the limit.
    const bool exact = options.method == CalibrationMethod::kMinMax ||
                       options.method == CalibrationMethod::kMovingAverage;
    const double bound =
        exact ? 1e-6 * largest : 2.001 * largest / static_cast<double>(options.bins);
    if (options.symmetric) {
      EXPECT_NEAR(found.max, std::max(-expected[0], expected[1]), bound);
      EXPECT_EQ(found.min, -found.max);
    } else {
      EXPECT_NEAR(found.min, expected[0], bound);
      EXPECT_NEAR(found.max, expected[1], bound);
    }
    ++cases;
  }
  EXPECT_GE(cases, 40u);
}

std::vector<ObserverOptions> all_options() {
  std::vector<ObserverOptions> out;
  for (const char* method : {"minmax", "moving_average", "percentile", "entropy"}) {
    for (const bool symmetric : {false, true}) {
      ObserverOptions options;
      options.method = parse_calibration_method(method);
      options.symmetric = symmetric;
      out.push_back(options);
    }
  }
  return out;
}

TEST(Observers, GoOnFromTheirState) {
  const auto stream = samples("growing", 7, 6, 500);
  for (const ObserverOptions& options : all_options()) {
    SCOPED_TRACE(calibration_method_name(options.method));
    const auto whole = make_observer(options), first = make_observer(options),
               second = make_observer(options);
    for (const auto& sample : stream) whole->observe(sample);
    for (std::size_t i = 0; i < 3; ++i) first->observe(stream[i]);
    ASSERT_TRUE(second->restore(first->state()));
    for (std::size_t i = 3; i < stream.size(); ++i) second->observe(stream[i]);
    EXPECT_EQ(second->state(), whole->state());
    EXPECT_EQ(second->range().min, whole->range().min);
    EXPECT_EQ(second->range().max, whole->range().max);
  }
}

TEST(Observers, RefuseAStateThatIsNone) {
  for (const ObserverOptions& options : all_options()) {
    const auto observer = make_observer(options);
    const double nan = std::nan("");
    EXPECT_FALSE(observer->restore(std::vector<double>{1}));
    EXPECT_FALSE(observer->restore(std::vector<double>{2, 1}));
    EXPECT_FALSE(observer->restore(std::vector<double>{nan, nan}));
    EXPECT_FALSE(observer->restore(std::vector<double>(10000, 1.0)));
    std::vector<double> counts(2051, 1.5);
    EXPECT_FALSE(observer->restore(counts));
    EXPECT_EQ(observer->range().max, 0.0f);
  }
}

TEST(Observers, TakeConstantsZerosAndNothing) {
  for (const ObserverOptions& options : all_options()) {
    SCOPED_TRACE(calibration_method_name(options.method));
    const auto observer = make_observer(options);
    observer->observe({});
    EXPECT_EQ(observer->range().max, 0.0f);
    observer->observe(std::vector<float>(100, 0.0f));
    EXPECT_EQ(observer->range().min, 0.0f);
    EXPECT_EQ(observer->range().max, 0.0f);
    const auto constant = make_observer(options);
    constant->observe(std::vector<float>(100, 3.0f));
    EXPECT_LE(constant->range().min, constant->range().max);
    EXPECT_NEAR(constant->range().max, 3.0f, 3.0f / 512);
  }
}

TEST(Observers, EntropyCutsOutliers) {
  ObserverOptions options;
  options.method = CalibrationMethod::kEntropy;
  const auto observer = make_observer(options);
  auto sample = samples("bell", 3, 1, 20000)[0];
  sample[11] = 100.0f;
  observer->observe(sample);
  EXPECT_LT(observer->range().max, 50.0f);
}

TEST(Histogram, GrowsWithinTwiceItsBinsAndLosesNothing) {
  for (const bool magnitudes : {false, true}) {
    Histogram histogram(64, magnitudes);
    std::uint64_t count = 0;
    for (float limit = 1e-6f; limit < 1e6f; limit *= 1.7f) {
      const std::vector<float> values{limit, -limit / 2, 0.0f, limit / 3};
      histogram.add(values);
      count += values.size();
      EXPECT_LE(histogram.counts().size(), 128u);
      EXPECT_GE(histogram.counts().size(), 32u);
      EXPECT_GE(histogram.limit(), limit);
      EXPECT_LE(histogram.limit(), limit * 1.1f);
      std::uint64_t sum = 0;
      for (const std::uint64_t n : histogram.counts()) sum += n;
      EXPECT_EQ(sum, count);
      EXPECT_EQ(histogram.total(), count);
    }
    // All that is far below the limit lies around zero.
    const std::size_t zero = magnitudes ? 0 : histogram.counts().size() / 2;
    const std::uint64_t around =
        histogram.counts()[zero] + (zero == 0 ? 0 : histogram.counts()[zero - 1]);
    EXPECT_GT(around, count / 2);
  }
}

TEST(Observers, CheckTheirOptions) {
  EXPECT_THROW(parse_calibration_method("mse"), Error);
  const auto refused = [](auto change) {
    ObserverOptions options;
    change(options);
    EXPECT_THROW(check_observer_options(options), Error);
  };
  check_observer_options({});
  refused([](ObserverOptions& o) { o.percentile = 101; });
  refused([](ObserverOptions& o) { o.percentile = std::nan(""); });
  refused([](ObserverOptions& o) { o.bins = 7; });
  refused([](ObserverOptions& o) { o.quantized_levels = 4096; });
}

}  // namespace
}  // namespace octavo::quant
