#include "octavo/profile.h"

#include <algorithm>
#include <ostream>
#include <set>
#include <utility>

#include "base/file.h"
#include "eval/bench/raise_peaks.h"
#include "eval/profile/flame.h"
#include "eval/profile/step_names.h"
#include "octavo/error.h"

namespace octavo {
namespace {

constexpr BenchmarkCase kDefaultCase{32, 256};

/// The types of the kernels that compute products.
std::vector<std::string> precisions_of(const std::vector<CaseProfile>& cases) {
  std::set<std::string> out;
  for (const CaseProfile& one : cases) {
    for (const StepTime& step : one.run.steps) {
      const std::string_view type = eval::kernel_precision(step.step.kernel);
      if (step.multiply_adds > 0 && !type.empty()) out.emplace(type);
    }
  }
  return {out.begin(), out.end()};
}

}  // namespace

ProfileResult run_profile(const std::string& path, const ProfileOptions& options) {
  Model model = Model::load(path, options.runtime);
  ProfileResult out;
  out.model = path;
  out.isa = model.isa();
  out.threads = model.threads();
  out.precision = model.precision();
  std::vector<BenchmarkCase> cases = options.cases;
  if (cases.empty()) {
    const std::size_t limit = model.max_tokens().value_or(kDefaultCase.tokens);
    cases.push_back({kDefaultCase.batch, std::min(kDefaultCase.tokens, limit)});
  }
  for (const BenchmarkCase& what : cases) {
    out.cases.push_back({what, model.profile(what.batch, what.tokens, options.min_seconds)});
    if (out.cases.back().run.steps.empty()) {
      throw Error(ErrorCode::kUnsupported, {.message = "the model has no steps to profile",
                                            .file = path,
                                            .fix = "octavo inspect says what it consists of"});
    }
    if (options.progress) options.progress(out.cases.size(), cases.size());
  }
  PeakOptions wanted;
  wanted.threads = out.threads;
  wanted.isa = options.runtime.isa;
  wanted.precisions = precisions_of(out.cases);
  wanted.seconds = 0.15;  // twice
  out.peaks = measure_peaks(wanted);
  eval::raise_peaks(out.peaks, measure_peaks(wanted));
  return out;
}

void write_folded_stacks(const std::string& path, const ProfileResult& result, std::size_t index) {
  const std::string text = folded_stacks(result, index);
  write_file_atomically(path, [&](std::ostream& out) { out << text; });
}

void write_flame_graph(const std::string& path, const ProfileResult& result, std::size_t index) {
  const std::string text = eval::render_flame_graph(eval::flame_graph_of(result, index));
  write_file_atomically(path, [&](std::ostream& out) { out << text; });
}

}  // namespace octavo
