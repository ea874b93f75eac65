// Quantising a small model with texts: progress and cancelling, whatever the options ask for.
#include "octavo/quantize.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "octavo/error.h"

namespace octavo {
namespace {

namespace fs = std::filesystem;

class QuantizeTexts : public testing::Test {
 protected:
  QuantizeTexts() {
    root_ = fs::path(testing::TempDir()) /
            ("octavo-quantize-" +
             std::string(testing::UnitTest::GetInstance()->current_test_info()->name()));
    fs::remove_all(root_);
    fs::create_directories(root_);
    fs::copy("tests/data/tiny-embedder", root_ / "model", fs::copy_options::recursive);
    for (const char* file : {"config.json", "model.safetensors"})
      fs::copy_file(fs::path("tests/data/models/bert") / file, root_ / "model" / file);
    std::ofstream texts(root_ / "texts.txt");
    for (int i = 0; i < kTexts; ++i) texts << "the river of number " << i << " and its name\n";
    texts.close();
    options_.calibration.files = {(root_ / "texts.txt").string()};
    options_.threads = 1;
  }
  ~QuantizeTexts() override { fs::remove_all(root_); }

  /// The code of the error that quantising ends in.
  ErrorCode refused() {
    try {
      quantize_model((root_ / "model").string(), (root_ / "out").string(), options_);
    } catch (const Error& error) {
      EXPECT_FALSE(fs::exists(root_ / "out"));
      return error.code();
    }
    ADD_FAILURE() << "no error";
    return ErrorCode::kInternal;
  }

  static constexpr int kTexts = 20;
  fs::path root_;
  QuantizeModelOptions options_;
};

TEST_F(QuantizeTexts, ProgressIsToldAndStopsEveryPassOverTheTexts) {
  for (const bool smooth : {false, true}) {
    SCOPED_TRACE(smooth ? "SmoothQuant" : "static");
    if (smooth) {
      options_.smooth_alpha = 0.5;
    } else {
      options_.scheme.mode = QuantizeMode::kStatic;
    }
    std::size_t told = 0;
    options_.calibration.progress = [&](std::size_t done, std::size_t total, std::size_t) {
      EXPECT_EQ(done, ++told);
      EXPECT_EQ(total, std::size_t{kTexts});
      return false;
    };
    EXPECT_EQ(refused(), ErrorCode::kCancelled);
    EXPECT_EQ(told, 1u);
    options_.scheme.mode = QuantizeMode::kOctavo;
  }
}

TEST_F(QuantizeTexts, CancellingIsSeenBetweenTexts) {
  options_.scheme.mode = QuantizeMode::kStatic;
  bool stop = false;
  std::size_t told = 0;
  options_.calibration.progress = [&](std::size_t, std::size_t, std::size_t) {
    ++told;
    return stop = true;
  };
  options_.cancelled = [&] { return stop; };
  EXPECT_EQ(refused(), ErrorCode::kCancelled);
  EXPECT_EQ(told, 1u);
}

}  // namespace
}  // namespace octavo
