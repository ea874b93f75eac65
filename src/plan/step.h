// One step of a plan, and what it sees while it runs.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/thread_pool.h"
#include "plan/packed_batch.h"

namespace octavo::plan {

/// Rows of a value: one a token, or one a sequence.
enum class Layout { kToken, kSequence };

using BufferId = std::int32_t;

class PlanWriter;  // plan_file.h

/// Columns [offset, offset + width) of a buffer of the arena.
struct View {
  BufferId buffer = -1;
  std::size_t offset = 0;
  std::size_t width = 0;
  Layout layout = Layout::kToken;
};

/// Rows of tokens as int8, bfloat16 or half tiles (kernels/gemm/layout.h).
struct TileView {
  BufferId tiles = -1;
  BufferId scale = -1;        // float a row; int8 only
  std::size_t width = 0;      // elements a row
  std::size_t row_bytes = 0;  // gemm_row_bytes()
};

/// A matrix in memory.
struct Matrix {
  float* data;
  std::size_t ld;  // floats from row to row
  std::size_t rows, width;
};

/// Where a buffer lies: `column` floats a row from the start of the arena, `width` floats a row. A
/// local buffer lies in the block arena of the worker that runs a row group, and holds the rows of
/// the current block alone.
struct BufferPlace {
  std::size_t column = 0, width = 0;
  bool local = false;
};

/// Rows of a block, and of a worker's block arena.
inline constexpr std::size_t kBlockRows = 128;

/// Collects how long steps take: worker-nanoseconds by step, from all threads.
class StepClock {
 public:
  explicit StepClock(std::size_t steps) : nanoseconds_(steps) {}
  void add(std::size_t step, std::uint64_t nanoseconds) noexcept {
    nanoseconds_[step].fetch_add(nanoseconds, std::memory_order_relaxed);
  }
  std::uint64_t nanoseconds(std::size_t step) const noexcept {
    return nanoseconds_[step].load(std::memory_order_relaxed);
  }

 private:
  std::vector<std::atomic<std::uint64_t>> nanoseconds_;
};

/// Times a step that keeps `workers` workers busy; nothing without a clock.
class StepTimer {
 public:
  StepTimer(StepClock* clock, std::size_t step, std::size_t workers) noexcept
      : clock_(clock), step_(step), workers_(workers) {
    if (clock_ != nullptr) start_ = std::chrono::steady_clock::now();
  }
  ~StepTimer() {
    if (clock_ == nullptr) return;
    const auto time = std::chrono::steady_clock::now() - start_;
    const auto ns = std::chrono::duration_cast<std::chrono::nanoseconds>(time).count();
    clock_->add(step_, static_cast<std::uint64_t>(ns) * workers_);
  }
  StepTimer(const StepTimer&) = delete;
  StepTimer& operator=(const StepTimer&) = delete;

 private:
  StepClock* clock_;
  std::size_t step_, workers_;
  std::chrono::steady_clock::time_point start_;
};

struct RunState {
  const PackedBatch& batch;
  float* arena;
  std::size_t row_capacity;  // rows every buffer has room for, a multiple of 16
  const BufferPlace* places;
  const std::int32_t* const* positions;  // position ids by index, each [tokens]
  const float* const* rotary;  // tables by index, each [longest, 2, half]: cosines, then sines
  float* const* scratch;       // one a worker
  ThreadPool* pool;            // nullptr: run on this thread
  float* block_arena;          // of all workers, one after the other
  std::size_t block_width;     // floats a row of the block arena
  StepClock* clock = nullptr;  // nullptr: nobody asks for times
  std::size_t block_capacity = 0, block_first = 0;  // rows of block_arena, and the first one

  std::size_t rows(Layout layout) const {
    return layout == Layout::kToken ? batch.tokens() : batch.sequences();
  }
  /// First float of row `r` of a buffer.
  float* row(BufferId buffer, std::size_t r) const {
    const BufferPlace& place = places[buffer];
    if (place.local)
      return block_arena + place.column * block_capacity + (r - block_first) * place.width;
    return arena + place.column * row_capacity + r * place.width;
  }
  /// Rows [first, last) of a value.
  Matrix matrix(const View& view, std::size_t first, std::size_t last) const {
    return {row(view.buffer, first) + view.offset, places[view.buffer].width, last - first,
            view.width};
  }
  Matrix matrix(const View& view) const { return matrix(view, 0, rows(view.layout)); }
  /// The tiles from row `first`, a multiple of 16.
  std::byte* tiles(const TileView& view, std::size_t first) const {
    return reinterpret_cast<std::byte*>(row(view.tiles, first));
  }
  int workers() const { return pool == nullptr ? 1 : pool->size(); }

  template <typename Body>
  void parallel_for(std::size_t count, Body&& body) const noexcept {
    if (pool != nullptr) return pool->parallel_for(count, body);
    for (std::size_t i = 0; i < count; ++i) body(i, 0);
  }
  /// body(first_row, last_row) over chunks of rows, at least `grain` rows each; chunks begin at
  /// multiples of `grain`.
  template <typename Body>
  void for_rows(std::size_t rows, std::size_t grain, Body&& body) const noexcept {
    if (workers() == 1 || rows <= grain) return body(std::size_t{0}, rows);
    const std::size_t chunks = (rows + grain - 1) / grain;
    parallel_for(chunks, [&](std::size_t i, int) {
      body(i * grain, i + 1 == chunks ? rows : (i + 1) * grain);
    });
  }
};

/// What `octavo inspect --plan` prints of a step.
struct StepInfo {
  std::string name, op, shape, kernel, reason;
};

class Step {
 public:
  std::size_t id = 0;  // its place in Plan::steps()
  virtual ~Step() = default;
  virtual void run(const RunState& state) const noexcept = 0;
  /// Whether row i of what it writes depends on rows i of what it reads alone; such steps, over
  /// tokens, are run in blocks of rows.
  virtual bool row_wise() const { return false; }
  /// Rows [first, last) on this thread; `first` is a multiple of 16. Only for row-wise steps.
  virtual void run_rows(const RunState&, std::size_t, std::size_t) const noexcept {}
  virtual StepInfo info() const = 0;
  /// Its row in the table of step_kinds.cc, which has the function that reads what save() writes.
  virtual std::string_view kind() const = 0;
  virtual void save(PlanWriter& writer) const = 0;
  /// Buffers it reads and writes, for the memory plan.
  virtual std::vector<BufferId> reads() const = 0;
  virtual std::vector<BufferId> writes() const = 0;
  /// Floats of scratch a worker needs for sequences of up to `longest` tokens.
  virtual std::size_t scratch_floats(std::size_t longest) const noexcept { return longest * 0; }
  /// Multiply-adds of its matrix products over `batch`; steps without products have none.
  virtual double multiply_adds(const PackedBatch& /*batch*/) const { return 0; }
  /// Bytes of weights the step owns.
  virtual std::size_t weight_bytes() const { return 0; }
};

}  // namespace octavo::plan
