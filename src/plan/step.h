// One step of a plan, and what it sees while it runs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "plan/packed_batch.h"

namespace octavo::plan {

/// Rows of a value: one a token, or one a sequence.
enum class Layout { kToken, kSequence };

using BufferId = std::int32_t;

/// Columns [offset, offset + width) of a buffer of the arena.
struct View {
  BufferId buffer = -1;
  std::size_t offset = 0;
  std::size_t width = 0;
  Layout layout = Layout::kToken;
};

/// A matrix in memory.
struct Matrix {
  float* data;
  std::size_t ld;  // floats from row to row
  std::size_t rows, width;
};

/// Where a buffer lies: `column` floats a row from the start of the arena, `width` floats a row.
struct BufferPlace {
  std::size_t column = 0, width = 0;
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

  std::size_t rows(Layout layout) const {
    return layout == Layout::kToken ? batch.tokens() : batch.sequences();
  }
  Matrix matrix(const View& view) const {
    const BufferPlace& place = places[view.buffer];
    return {arena + place.column * row_capacity + view.offset, place.width, rows(view.layout),
            view.width};
  }
  int workers() const { return pool == nullptr ? 1 : pool->size(); }

  template <typename Body>
  void parallel_for(std::size_t count, Body&& body) const noexcept {
    if (pool != nullptr) return pool->parallel_for(count, body);
    for (std::size_t i = 0; i < count; ++i) body(i, 0);
  }
  /// body(first_row, last_row) over chunks of rows, at least `grain` rows each.
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
  virtual ~Step() = default;
  virtual void run(const RunState& state) const noexcept = 0;
  virtual StepInfo info() const = 0;
  /// Buffers it reads and writes, for the memory plan.
  virtual std::vector<BufferId> reads() const = 0;
  virtual BufferId writes() const = 0;
  /// Floats of scratch a worker needs for sequences of up to `longest` tokens.
  virtual std::size_t scratch_floats(std::size_t longest) const noexcept { return longest * 0; }
  /// Multiply-adds of its matrix products over `batch`; steps without products have none.
  virtual double multiply_adds(const PackedBatch& /*batch*/) const { return 0; }
  /// Bytes of weights the step owns.
  virtual std::size_t weight_bytes() const { return 0; }
};

}  // namespace octavo::plan
