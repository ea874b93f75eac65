#include "progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "format.h"
#include "interrupt.h"

namespace octavo::cli {
namespace {

constexpr std::chrono::milliseconds kPause{200};

}  // namespace

Progress::Progress(Console& console) : console_(console), start_(Clock::now()), last_(start_) {}

bool Progress::update(std::string_view what, std::size_t done, std::size_t tokens,
                      double fraction) {
  if (interrupted()) return false;
  if (!console_.error_is_terminal() || console_.quiet) return true;
  const auto now = Clock::now();
  if (what != what_) {
    what_ = what;
    start_ = now;
    last_ = now;
    start_fraction_ = std::max(fraction, 0.0);
    start_done_ = done;
    start_tokens_ = tokens;
  } else if (now - last_ < kPause) {
    return true;
  }
  last_ = now;
  const double seconds = std::chrono::duration<double>(now - start_).count();
  std::string line = fmt::format("{} {}", group_digits(done), what);
  if (fraction >= 0) line = fmt::format("{:3.0f} %  {}", 100 * std::min(fraction, 1.0), line);
  if (done > start_done_)
    line += fmt::format("  {:.0f} {}/s", static_cast<double>(done - start_done_) / seconds, what);
  if (tokens > start_tokens_)
    line +=
        fmt::format("  {} tokens/s", group_digits(static_cast<std::size_t>(
                                         static_cast<double>(tokens - start_tokens_) / seconds)));
  if (fraction > start_fraction_ && fraction < 1)
    line += fmt::format("  {} left",
                        duration_text(seconds * (1 - fraction) / (fraction - start_fraction_)));
  write(line);
  return true;
}

bool Progress::line(const std::string& text) {
  if (interrupted()) return false;
  if (!console_.error_is_terminal() || console_.quiet) return true;
  const auto now = Clock::now();
  if (what_.empty() && now - last_ < kPause) return true;
  what_.clear();
  last_ = now;
  write(text);
  return true;
}

void Progress::write(const std::string& text) {
  const std::string line = "\r\033[K" + text;
  [[maybe_unused]] const auto ignored = ::write(STDERR_FILENO, line.data(), line.size());
  console_.progress_shown_ = true;
}

void Progress::clear() { console_.clear_progress(); }

}  // namespace octavo::cli
