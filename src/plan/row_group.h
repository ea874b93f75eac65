// Row-wise steps that follow each other, run block of rows by block of rows: what a block leaves in
// the cache the next step finds there, and values that no other step reads need memory for a block
// alone.
#pragma once

#include <memory>
#include <vector>

#include "plan/step.h"

namespace octavo::plan {

class RowGroup final : public Step {
 public:
  explicit RowGroup(std::vector<std::unique_ptr<Step>> steps) : steps_(std::move(steps)) {}

  void run(const RunState& state) const noexcept override;
  StepInfo info() const override { return {}; }
  std::string_view kind() const override { return {}; }
  void save(PlanWriter&) const override {}  // files hold the steps; groups are made of them anew
  std::vector<BufferId> reads() const override;
  std::vector<BufferId> writes() const override;
  std::size_t weight_bytes() const override;
  const std::vector<std::unique_ptr<Step>>& steps() const { return steps_; }

 private:
  void run_block(const RunState& state, std::size_t first, std::size_t last,
                 std::size_t worker) const noexcept;

  std::vector<std::unique_ptr<Step>> steps_;
};

/// Row-wise steps that follow each other become groups; the others stay.
std::vector<std::unique_ptr<Step>> group_rows(std::vector<std::unique_ptr<Step>> steps);

}  // namespace octavo::plan
