#include "plan/row_group.h"

#include <algorithm>

namespace octavo::plan {
namespace {

// With fewer rows a worker, the workers share every step instead: a step alone then splits its
// columns.
constexpr std::size_t kMinRowsPerWorker = 48;

std::size_t round_up(std::size_t n, std::size_t step) { return (n + step - 1) / step * step; }

}  // namespace

void RowGroup::run_block(const RunState& state, std::size_t first, std::size_t last,
                         std::size_t worker) const noexcept {
  RunState block = state;
  block.block_arena = state.block_arena + worker * kBlockRows * state.block_width;
  block.block_capacity = kBlockRows;
  block.block_first = first;
  for (const auto& step : steps_) {
    const StepTimer timer(state.clock, step->id, 1);
    step->run_rows(block, first, last);
  }
}

void RowGroup::run(const RunState& state) const noexcept {
  const std::size_t rows = state.batch.tokens(),
                    workers = static_cast<std::size_t>(state.workers());
  if (workers == 1) {
    for (std::size_t first = 0; first < rows; first += kBlockRows) {
      run_block(state, first, std::min(rows, first + kBlockRows), 0);
    }
    return;
  }
  if (rows < workers * kMinRowsPerWorker) {
    RunState whole = state;
    whole.block_capacity = workers * kBlockRows;
    for (const auto& step : steps_) {
      const StepTimer timer(state.clock, step->id, workers);
      step->run(whole);
    }
    return;
  }
  const std::size_t rounds = (rows + workers * kBlockRows - 1) / (workers * kBlockRows);
  const std::size_t block = round_up((rows + rounds * workers - 1) / (rounds * workers), 16);
  state.parallel_for((rows + block - 1) / block, [&](std::size_t i, int worker) {
    run_block(state, i * block, std::min(rows, (i + 1) * block), static_cast<std::size_t>(worker));
  });
}

std::vector<BufferId> RowGroup::reads() const {
  std::vector<BufferId> out;
  for (const auto& step : steps_) {
    const auto some = step->reads();
    out.insert(out.end(), some.begin(), some.end());
  }
  return out;
}

std::vector<BufferId> RowGroup::writes() const {
  std::vector<BufferId> out;
  for (const auto& step : steps_) {
    const auto some = step->writes();
    out.insert(out.end(), some.begin(), some.end());
  }
  return out;
}

std::size_t RowGroup::weight_bytes() const {
  std::size_t out = 0;
  for (const auto& step : steps_) out += step->weight_bytes();
  return out;
}

std::vector<std::unique_ptr<Step>> group_rows(std::vector<std::unique_ptr<Step>> steps) {
  std::vector<std::unique_ptr<Step>> out, run;
  const auto close = [&] {
    if (run.size() == 1) out.push_back(std::move(run.front()));
    if (run.size() > 1) out.push_back(std::make_unique<RowGroup>(std::move(run)));
    run.clear();
  };
  for (auto& step : steps) {
    if (step->row_wise()) {
      run.push_back(std::move(step));
      continue;
    }
    close();
    out.push_back(std::move(step));
  }
  close();
  return out;
}

}  // namespace octavo::plan
