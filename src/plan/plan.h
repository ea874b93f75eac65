// A plan: the steps that run a graph over packed sequences, with weights packed, kernels chosen and
// memory laid out. Everything that can fail fails in build() or check(); run() is noexcept and
// allocates nothing.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/cpu.h"
#include "ir/graph.h"
#include "plan/plan_file.h"
#include "plan/precision.h"
#include "plan/step.h"

namespace octavo::plan {

/// How position ids come from the tokens of a sequence (see ai.octavo PositionIds).
struct PositionSet {
  std::int64_t padding_idx = -1;
  std::int64_t offset = 0;
};

/// Position sets, and rotary tables, that a plan can have: run() keeps them without allocating.
inline constexpr std::size_t kMaxSets = 8;

/// Cosines and sines of position * inverse frequency.
struct RotaryTable {
  std::vector<float> inverse_frequencies;
};

struct PlanOutput {
  std::string name;
  View view;
};

class Plan {
 public:
  /// Lowers the graph; weights are packed with `pool` (may be null). Constants are taken out of
  /// `graph` as they are packed: where each has storage of its own and nobody else holds it, the
  /// peak is one copy and a layer. Products with the matrices in `kept_float` are computed in
  /// float32 whatever the precision. Throws Error(kUnsupported) naming the node that has no packed
  /// form: the caller then runs the graph padded.
  static std::unique_ptr<Plan> build(ir::Graph graph, IsaMask isa, ThreadPool* pool,
                                     Precision precision = Precision::kFp32,
                                     std::set<ir::ValueId> kept_float = {});

  /// Writes all that load() needs, to be the last of the file. The plan must live until
  /// writer.write() is done.
  void save(PlanWriter& writer) const;
  /// The plan that save() wrote, with kernels chosen for `isa`. Throws Error(kInvalidFile) where
  /// the bytes make no plan, or one for kernels with another layout of weights.
  static std::unique_ptr<Plan> load(PlanReader& reader, IsaMask isa);

  /// Throws Error(kInvalidArgument) when an id has no row in its table or a sequence is longer than
  /// the positions.
  void check(const PackedBatch& batch) const;
  /// The longest sequence the position tables allow; SIZE_MAX without any.
  std::size_t max_tokens() const { return max_tokens_; }

  /// Floats of workspace for a batch of up to `tokens` tokens with sequences of up to `longest`,
  /// run by `workers`.
  std::size_t workspace_floats(std::size_t tokens, std::size_t longest, int workers) const noexcept;
  /// Runs the steps. `workspace` is 64-byte aligned and holds workspace_floats() of this batch and
  /// pool. outputs[i] is set to where output i lies in it.
  void run(const PackedBatch& batch, float* workspace, ThreadPool* pool, Matrix* outputs,
           StepClock* clock = nullptr) const noexcept;

  const std::vector<PlanOutput>& outputs() const { return outputs_; }
  /// All steps, those in row groups one by one.
  std::vector<const Step*> steps() const;
  std::size_t weight_bytes() const;
  /// Of the linear layers and of attention, over `batch`.
  double multiply_adds(const PackedBatch& batch) const;
  std::size_t arena_floats_per_token() const { return arena_width_; }
  Precision precision() const { return precision_; }
  /// Rows of the token table; 0 for a graph without one.
  std::int32_t vocabulary() const { return static_cast<std::int32_t>(vocabulary_); }

 private:
  friend class Lowering;
  Plan() = default;
  std::size_t scratch_floats(std::size_t longest) const noexcept;
  void finish(const std::vector<std::size_t>& widths);  // groups steps and places buffers

  std::vector<std::unique_ptr<Step>> steps_;
  std::vector<PlanOutput> outputs_;
  std::vector<BufferPlace> places_;
  std::size_t arena_width_ = 0, block_width_ = 0;
  Precision precision_ = Precision::kFp32;
  std::vector<PositionSet> positions_;
  std::vector<RotaryTable> rotary_;
  std::int64_t vocabulary_ = 0, type_rows_ = 0;  // rows of the smallest tables; 0: not read
  std::size_t max_tokens_ = 0;
};

}  // namespace octavo::plan
