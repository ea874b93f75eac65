#include "quality_progress.h"

#include <fmt/format.h>

#include "format.h"

namespace octavo::cli {

std::string evaluation_text(std::string_view stage, std::size_t done, std::size_t total,
                            std::string_view loss, std::string_view detail) {
  const bool gate = stage == "evaluations";
  return fmt::format("{} {} of {}{}{}{}", gate ? "evaluation" : "product alone: evaluation",
                     done + 1, gate ? "at most " : "", total, loss, detail);
}

bool QualityProgress::stage(std::string_view stage, std::size_t done, std::size_t total) {
  const bool scored = stage == "evaluations" || stage == "scored layers";
  if (!scored) {
    return progress_.update(
        stage, done, 0, total == 0 ? -1.0 : static_cast<double>(done) / static_cast<double>(total));
  }
  // What was known already says nothing of how long the rest takes.
  if (stage_ != stage || !measured_) {
    start_ = std::chrono::steady_clock::now();
    first_ = done;
  }
  if (stage_ != stage) loss_.clear();
  stage_ = stage;
  measured_ = false;
  done_ = done;
  total_ = total;
  return show(0, "");
}

void QualityProgress::evaluated(const QualityStep& step) {
  loss_ = fmt::format(", loss {:.2f} % with {} in float", 100 * step.loss, step.excluded);
}

bool QualityProgress::texts(std::string_view stage, std::size_t done, std::size_t total) {
  measured_ = true;
  const double share = total == 0 ? 0 : static_cast<double>(done) / static_cast<double>(total);
  // Documents are what takes the time.
  const bool documents = stage == "documents", search = stage == "search";
  return show(documents ? share : search ? 1 : 0, fmt::format(", {} {:.0f} %", stage, 100 * share));
}

bool QualityProgress::show(double share, std::string_view detail) {
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  const double done = static_cast<double>(done_) - static_cast<double>(first_) + share;
  std::string line = evaluation_text(stage_, done_, total_, loss_, detail);
  if (done > 0 && seconds >= 1) {
    const double left = static_cast<double>(total_ - done_) - share;
    line += fmt::format(", {}{} left", stage_ == "evaluations" ? "at most " : "",
                        duration_text(seconds / done * left));
  }
  return progress_.line(line);
}

}  // namespace octavo::cli
