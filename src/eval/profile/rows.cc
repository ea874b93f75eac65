#include "eval/profile/rows.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <string>

#include "eval/profile/step_names.h"
#include "octavo/error.h"

namespace octavo {
namespace eval {
namespace {

/// Sums up steps or rows, and derives the rest of a row from the sums.
class RowSum {
 public:
  explicit RowSum(ProfileRow row = {}) : row_(std::move(row)) {}

  void add(const StepTime& step, int threads, const MachinePeaks& peaks) {
    ++row_.calls;
    row_.seconds += step.seconds / threads;
    if (step.multiply_adds <= 0) return;
    row_.multiply_adds += step.multiply_adds;
    row_.weight_bytes += step.weight_bytes;
    const ComputePeak* peak = peaks.find(kernel_precision(step.step.kernel));
    if (peak == nullptr || peak->operations_per_second <= 0) {
      limited_ = false;
    } else {
      limit_ += 2 * step.multiply_adds / peak->operations_per_second;
    }
  }

  ProfileRow row(double run_seconds, const MachinePeaks& peaks) const {
    ProfileRow out = row_;
    if (run_seconds > 0) out.share = out.seconds / run_seconds;
    if (out.seconds <= 0) return out;
    out.operations_per_second = 2 * out.multiply_adds / out.seconds;
    out.bytes_per_second = static_cast<double>(out.weight_bytes) / out.seconds;
    if (limited_) out.share_of_peak = limit_ / out.seconds;
    if (!peaks.memory.empty() && peaks.memory.back().bytes_per_second > 0)
      out.share_of_memory_peak = out.bytes_per_second / peaks.memory.back().bytes_per_second;
    return out;
  }

  void set_seconds(double seconds) { row_.seconds = seconds; }

 private:
  ProfileRow row_;
  double limit_ = 0;  // seconds that the products take at the peaks
  bool limited_ = true;
};

ProfileRow empty_row(const PlanStep& step, ProfileBy by) {
  ProfileRow out;
  if (by == ProfileBy::kLayer) {
    out.name = place_of_step(step.name).layer;
    return out;
  }
  if (by == ProfileBy::kStep) out.name = step.name;
  out.op = step.op;
  out.shape = step.shape;
  out.kernel = step.kernel;
  return out;
}

std::string key_of(const ProfileRow& row) {
  return row.name + '\0' + row.op + '\0' + row.shape + '\0' + row.kernel;
}

}  // namespace

double shared_seconds(const RunProfile& run, int threads) {
  const double busy = std::accumulate(run.steps.begin(), run.steps.end(), 0.0,
                                      [](double sum, const auto& s) { return sum + s.seconds; });
  return std::max(run.seconds, busy / threads);
}

std::vector<ProfileRow> profile_rows(const ProfileResult& result, std::size_t index, ProfileBy by) {
  const RunProfile& run = result.cases.at(index).run;
  std::vector<RowSum> sums;
  std::map<std::string, std::size_t> places;
  for (const StepTime& step : run.steps) {
    ProfileRow empty = empty_row(step.step, by);
    std::size_t place = sums.size();
    if (by != ProfileBy::kStep) place = places.emplace(key_of(empty), place).first->second;
    if (place == sums.size()) sums.emplace_back(std::move(empty));
    sums[place].add(step, result.threads, result.peaks);
  }
  const double seconds = shared_seconds(run, result.threads);
  std::vector<ProfileRow> out;
  for (const RowSum& sum : sums) out.push_back(sum.row(seconds, result.peaks));
  return out;
}

}  // namespace eval

ProfileBy parse_profile_by(std::string_view name) {
  if (name == "op") return ProfileBy::kOp;
  if (name == "layer") return ProfileBy::kLayer;
  if (name == "step") return ProfileBy::kStep;
  throw Error(ErrorCode::kInvalidArgument, {.message = "a profile has no such rows",
                                            .expected = "op, layer or step",
                                            .found = "'" + std::string(name) + "'",
                                            .fix = "give one of the three, or leave it out"});
}

ProfileTable profile_table(const ProfileResult& result, std::size_t index, ProfileBy by,
                           std::size_t top) {
  ProfileTable out;
  out.rows = eval::profile_rows(result, index, by);
  std::stable_sort(out.rows.begin(), out.rows.end(),
                   [](const auto& a, const auto& b) { return a.seconds > b.seconds; });
  const RunProfile& run = result.cases.at(index).run;
  const double seconds = eval::shared_seconds(run, result.threads);
  eval::RowSum total;
  double busy = 0;
  for (const StepTime& step : run.steps) {
    total.add(step, result.threads, result.peaks);
    busy += step.seconds / result.threads;
  }
  total.set_seconds(seconds);
  out.total = total.row(seconds, result.peaks);
  out.waiting.seconds = std::max(0.0, seconds - busy);
  if (seconds > 0) out.waiting.share = out.waiting.seconds / seconds;
  if (top > 0 && top < out.rows.size()) {
    for (std::size_t i = top; i < out.rows.size(); ++i) {
      out.others.calls += out.rows[i].calls;
      out.others.seconds += out.rows[i].seconds;
      out.others.share += out.rows[i].share;
    }
    out.rows.resize(top);
  }
  return out;
}

}  // namespace octavo
