// One line of progress on standard error, rewritten in place: how far, how fast, how long still.
// Shown only where standard error is a terminal and --quiet is absent, at most five times a second.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

#include "console.h"

namespace octavo::cli {

class Progress {
 public:
  explicit Progress(Console& console);
  ~Progress() { clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// `done` items of `what` ("texts"), `tokens` so far; `fraction` of the whole in [0, 1], negative
  /// when unknown. A new `what` starts a new clock. False when the user asked to stop.
  bool update(std::string_view what, std::size_t done, std::size_t tokens, double fraction);
  /// A line of the caller's own. False as above.
  bool line(const std::string& text);
  void clear();

 private:
  using Clock = std::chrono::steady_clock;
  void write(const std::string& text);
  Console& console_;
  std::string what_;
  Clock::time_point start_, last_;
  double start_fraction_ = 0;
  std::size_t start_done_ = 0, start_tokens_ = 0;
};

}  // namespace octavo::cli
