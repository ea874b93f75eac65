// The line that a long measurement of quality shows: which evaluation of how many, the loss so far,
// how far the evaluation itself is, how long all will still take.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

#include "octavo/quantize.h"
#include "progress.h"

namespace octavo::cli {

class QualityProgress {
 public:
  explicit QualityProgress(Progress& progress)
      : progress_(progress), start_(std::chrono::steady_clock::now()) {}

  /// As QuantizeModelOptions::study_progress. False when the user asked to stop.
  bool stage(std::string_view stage, std::size_t done, std::size_t total);
  /// As QuantizeModelOptions::evaluated.
  void evaluated(const QualityStep& step);
  /// Texts of the evaluation at hand.
  bool texts(std::string_view stage, std::size_t done, std::size_t total);

 private:
  bool show(double share, std::string_view detail);

  Progress& progress_;
  std::chrono::steady_clock::time_point start_;
  std::size_t first_ = 0;  // evaluations that were done when the clock started
  bool measured_ = false;  // whether the evaluation at hand runs texts
  std::string stage_, loss_;
  std::size_t done_ = 0, total_ = 0;
};

/// The line itself: "evaluation 3 of at most 12, loss 1.20 % with 2 in float, documents 40 %".
std::string evaluation_text(std::string_view stage, std::size_t done, std::size_t total,
                            std::string_view loss, std::string_view detail);

}  // namespace octavo::cli
