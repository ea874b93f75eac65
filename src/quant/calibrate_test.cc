// Calibration of a small graph: ranges by hand, stopping and going on, caches and samples that are
// not what they should be.
#include "quant/calibrate.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <set>

#include "base/file.h"
#include "octavo/error.h"

namespace octavo::quant {
namespace {

constexpr std::int64_t kRows = 16, kWidth = 4;

/// Rows of a table, times a diagonal: h = table[ids]; y = h * diag(1, 2, 3, 4).
ir::Graph graph_of(float entry) {
  ir::Graph graph;
  const auto ids = graph.add_input("input_ids", DType::kInt64, {{1}, {-1, "sequence"}});
  Tensor table(DType::kFloat32, {kRows, kWidth}), weight(DType::kFloat32, {kWidth, kWidth});
  for (std::int64_t i = 0; i < kRows * kWidth; ++i)
    table.mutable_data<float>()[static_cast<std::size_t>(i)] = 0.1f * static_cast<float>(i) - 2.0f;
  table.mutable_data<float>()[5] = entry;
  for (std::int64_t i = 0; i < kWidth * kWidth; ++i) {
    weight.mutable_data<float>()[static_cast<std::size_t>(i)] =
        i % (kWidth + 1) == 0 ? static_cast<float>(i / kWidth + 1) : 0.0f;
  }
  const auto h = graph.emit("Gather", {graph.add_constant("table", table), ids}, {}, "", "h");
  const auto y = graph.emit("MatMul", {h, graph.add_constant("w", weight)}, {}, "", "y");
  graph.add_output(y, "y");
  return graph;
}

std::vector<Sample> all_samples() {
  std::vector<Sample> out;
  for (std::int32_t i = 0; i < 10; ++i) {
    Sample sample;
    for (std::int32_t t = 0; t <= i % 5; ++t) sample.ids.push_back((3 * i + t) % 13);
    out.push_back(sample);
  }
  return out;
}

struct Machine {
  std::shared_ptr<ThreadPool> pool = std::make_shared<ThreadPool>(2);
  Calibration run(const CalibrateOptions& options, float entry = 0.5f) const {
    return calibrate(graph_of(entry), all_samples(), options, detect_isa(), pool);
  }
};

class CalibrateFiles : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() /
              ("octavo-calibrate-" + std::to_string(::getpid()) + "-" +
               ::testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string cache() const { return (folder_ / "cache.json").string(); }

 private:
  std::filesystem::path folder_;
};

TEST(Calibrate, SeesWhatTheSamplesGive) {
  const Calibration found = Machine().run({.channel_values = {"h"}});
  EXPECT_TRUE(found.ranges.empty());  // channels alone were asked for
  const Calibration all = Machine().run({});
  ASSERT_EQ(all.ranges.size(), 2u);
  // Ids 0 to 12 come: rows -2.0 ... and 12 * 4 entries on, entry 5 is 0.5.
  const auto at = [](int i) { return i == 5 ? 0.5f : 0.1f * static_cast<float>(i) - 2.0f; };
  float low = 0, high = 0, y_low = 0, y_high = 0;
  std::vector<float> channels(kWidth, 0.0f);
  std::set<int> ids;
  for (const Sample& sample : all_samples()) ids.insert(sample.ids.begin(), sample.ids.end());
  for (const int id : ids) {
    for (int c = 0; c < kWidth; ++c) {
      const float x = at(id * static_cast<int>(kWidth) + c);
      low = std::min(low, x), high = std::max(high, x);
      const float y = x * static_cast<float>(c + 1);
      y_low = std::min(y_low, y), y_high = std::max(y_high, y);
      auto& channel = channels[static_cast<std::size_t>(c)];
      channel = std::max(channel, std::abs(x));
    }
  }
  EXPECT_EQ(all.ranges.at("h").min, low);
  EXPECT_EQ(all.ranges.at("h").max, high);
  EXPECT_FLOAT_EQ(all.ranges.at("y").min, y_low);
  EXPECT_FLOAT_EQ(all.ranges.at("y").max, y_high);
  EXPECT_EQ(found.channel_maxima.at("h"), channels);
  EXPECT_EQ(all.samples, 10u);
  EXPECT_EQ(all.tokens, 30u);
}

TEST_F(CalibrateFiles, GoesOnWhereItStopped) {
  const Machine machine;
  for (const char* method : {"minmax", "moving_average", "percentile", "entropy"}) {
    for (const bool named : {false, true}) {
      CalibrateOptions options{.cache = cache(), .identity = "m"};
      options.observer.method = parse_calibration_method(method);
      if (named) options.values = {"h", "y"}, options.channel_values = {"h"};
      std::filesystem::remove(cache());
      const Calibration whole = machine.run(options);
      std::filesystem::remove(cache());
      options.progress = [](std::size_t done, std::size_t, std::size_t) { return done < 4; };
      EXPECT_THROW(machine.run(options), Error);
      options.progress = {};
      const Calibration resumed = machine.run(options);
      EXPECT_EQ(resumed.resumed, 4u);
      EXPECT_EQ(resumed.samples, 10u);
      EXPECT_EQ(resumed.tokens, whole.tokens);
      for (const auto& [name, range] : whole.ranges) {
        EXPECT_EQ(resumed.ranges.at(name).min, range.min) << method << " " << name;
        EXPECT_EQ(resumed.ranges.at(name).max, range.max) << method << " " << name;
      }
      EXPECT_EQ(resumed.channel_maxima, whole.channel_maxima);
      EXPECT_EQ(machine.run(options).resumed, 10u);
    }
  }
}

ErrorCode code_of(const std::function<void()>& body, std::string* text = nullptr) {
  try {
    body();
  } catch (const Error& error) {
    if (text != nullptr) *text = error.what();
    return error.code();
  }
  ADD_FAILURE() << "no error";
  return ErrorCode::kInternal;
}

TEST_F(CalibrateFiles, RefusesACacheOfSomethingElse) {
  const Machine machine;
  CalibrateOptions options{.values = {"h"}, .cache = cache(), .identity = "model a"};
  machine.run(options);
  const auto refused = [&](auto change) {
    CalibrateOptions other = options;
    change(other);
    return code_of([&] { machine.run(other); });
  };
  EXPECT_EQ(refused([](auto& o) { o.identity = "model b"; }), ErrorCode::kInvalidArgument);
  EXPECT_EQ(refused([](auto& o) { o.observer.symmetric = true; }), ErrorCode::kInvalidArgument);
  EXPECT_EQ(refused([](auto& o) { o.observer.method = CalibrationMethod::kEntropy; }),
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(refused([](auto& o) { o.values = {"h", "y"}; }), ErrorCode::kInvalidArgument);
  EXPECT_EQ(refused([](auto& o) { o.values = {"y"}; }), ErrorCode::kInvalidArgument);
  const std::string text = read_text_file(cache());
  for (const std::string& broken :
       {std::string("{}"), std::string("not json"), text.substr(0, text.size() / 2),
        std::string("{\"format\": \"octavo calibration 1\"}")}) {
    std::ofstream(cache()) << broken;
    EXPECT_EQ(code_of([&] { machine.run(options); }), ErrorCode::kInvalidFile) << broken;
    EXPECT_EQ(read_text_file(cache()), broken);  // nobody's file is written over
  }
}

TEST(Calibrate, NamesWhatIsWrong) {
  const Machine machine;
  std::string text;
  EXPECT_EQ(code_of(
                [&] {
                  machine.run({.values = {"h", "nothing"}});
                },
                &text),
            ErrorCode::kNotFound);
  EXPECT_NE(text.find("'nothing'"), std::string::npos) << text;
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(code_of([&] { machine.run({}, infinity); }, &text), ErrorCode::kInvalidFile);
  EXPECT_NE(text.find("value 'h'"), std::string::npos) << text;
  EXPECT_NE(text.find("sample 5"), std::string::npos) << text;
  EXPECT_EQ(code_of([&] { machine.run({}, std::nanf("")); }), ErrorCode::kInvalidFile);
  EXPECT_EQ(code_of([&] {
              calibrate(graph_of(0), {}, {}, detect_isa(), std::make_shared<ThreadPool>(1));
            }),
            ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace octavo::quant
