// Runs a plan over any number of packed sequences: splits them into chunks, gives chunks or rows to
// threads, and owns the memory they run in.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/buffer.h"
#include "base/thread_pool.h"
#include "plan/plan.h"

namespace octavo::runtime {

class Session {
 public:
  Session(std::unique_ptr<plan::Plan> plan, std::shared_ptr<ThreadPool> pool);

  /// Receives the outputs of sequences [first, first + chunk.sequences()), in plan order; the
  /// matrices are valid during the call. Must not throw; is called from several threads at once,
  /// for different sequences.
  using Sink = std::function<void(std::size_t first, const plan::PackedBatch& chunk,
                                  std::span<const plan::Matrix> outputs)>;

  /// Checks the whole batch first (see Plan::check), then runs it. Not to be called from several
  /// threads at once. `clock`, of as many steps as the plan has, collects where the time goes.
  void run(const plan::PackedBatch& batch, const Sink& sink, plan::StepClock* clock = nullptr);

  const plan::Plan& plan() const { return *plan_; }
  ThreadPool& pool() const { return *pool_; }

 private:
  struct Chunk {
    std::size_t first, last;  // sequences
  };
  std::vector<Chunk> split(const plan::PackedBatch& batch, std::size_t tokens) const;
  void reserve(std::size_t workspace, std::size_t floats);
  void run_chunk(const plan::PackedBatch& batch, const Chunk& chunk, std::size_t workspace,
                 ThreadPool* pool, const Sink& sink, plan::StepClock* clock) const noexcept;

  std::unique_ptr<plan::Plan> plan_;
  std::shared_ptr<ThreadPool> pool_;
  std::vector<std::unique_ptr<Buffer>> workspaces_;
};

}  // namespace octavo::runtime
