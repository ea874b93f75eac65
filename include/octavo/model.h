// A model as a graph: its inputs and outputs by name, runs on plain tensors, what it consists of
// and how it will run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "octavo/runtime_options.h"

namespace octavo {

/// A named dense array at the boundary of the API; `data` holds elements row-major.
struct NamedTensor {
  std::string name;
  std::string dtype;  // "float32", "int64", "int32", ...
  std::vector<std::int64_t> shape;
  std::vector<std::byte> data;
};

struct ModelInput {
  std::string name;
  std::string dtype;
  std::vector<std::string> shape;  // "batch", "sequence", "384"
};

/// One step of the plan, for `octavo inspect --plan`.
struct PlanStep {
  std::string name;    // "encoder.layer.0.attention.self.query"
  std::string op;      // "linear"
  std::string shape;   // "tokens x 384 -> 1536"
  std::string kernel;  // "matmul_f32_avx512"
  std::string reason;  // why this kernel, and why not a faster one
};

struct ModelSummary {
  std::string path, format, family;  // format: "safetensors" or "onnx"
  std::size_t parameters = 0, weight_bytes = 0, file_bytes = 0;
  std::map<std::string, std::size_t> op_counts;         // as read
  std::map<std::string, std::size_t> lifted_op_counts;  // after the passes
  std::map<std::string, std::size_t> dtype_bytes;       // weights by stored type
  std::vector<ModelInput> inputs, outputs;
  std::string precision;        // that runs: "fp32"
  std::string asked_precision;  // that the model asks for (RuntimeOptions); or empty
  bool packed = false;          // the plan runs without padding
  std::string plan_note;        // and if not, why
  /// Where the plan comes from: "read from FILE", "kept as FILE", or why it was not kept; empty
  /// without RuntimeOptions::plan_cache.
  std::string plan_source;
  std::vector<PlanStep> plan;
  std::size_t packed_weight_bytes = 0, arena_bytes_per_token = 0;
  std::string graph_text;  // the graph in text form (only when asked)
};

struct StepTime {
  PlanStep step;
  double seconds = 0;        // of one run, summed over the threads that worked on it
  double multiply_adds = 0;  // of matrix products, in one run
  std::size_t weight_bytes = 0;
};

/// Where the time of a run goes, for `octavo profile`.
struct RunProfile {
  double seconds = 0;  // of one run from begin to end, on average
  std::size_t runs = 0;
  std::vector<StepTime> steps;  // in plan order
};

class Model {
 public:
  static Model load(const std::string& path, const RuntimeOptions& options = {});
  Model(Model&&) noexcept;
  Model& operator=(Model&&) noexcept;
  ~Model();

  /// Runs the graph on inputs by name (`input_ids`, `attention_mask`, `token_type_ids`; int32 or
  /// int64); missing attention_mask means all ones, missing token_type_ids all zeros. Rows of
  /// padding in the outputs are zero.
  std::vector<NamedTensor> run(const std::vector<NamedTensor>& inputs);
  /// Reads the model's files again.
  ModelSummary summary(bool with_graph_text = false) const;
  std::string precision() const;  // "fp32", "int8": what "auto" came to
  std::string isa() const;
  int threads() const;

  /// Milliseconds of each run, in order, over `batch` random sequences of `tokens` tokens each,
  /// without padding: at least `min_runs` of them and `min_seconds` in all, after a run or two that
  /// do not count.
  std::vector<double> time_runs(std::size_t batch, std::size_t tokens, double min_seconds,
                                std::size_t min_runs = 3);
  /// As time_runs(), with the time of every step of the plan on average. Threads that share a step
  /// wait for each other within its time. Throws Error(kUnsupported) when the model has no plan.
  RunProfile profile(std::size_t batch, std::size_t tokens, double min_seconds);
  /// Of the linear layers and of attention in such a run; 0 when the model has no plan.
  double multiply_adds(std::size_t batch, std::size_t tokens) const;
  /// Bytes of packed weights that every run reads: those of the linear layers, not the tables that
  /// tokens look up; 0 when the model has no plan.
  std::size_t linear_weight_bytes() const;
  /// The longest sequence; nothing when nothing limits it.
  std::optional<std::size_t> max_tokens() const;

 private:
  struct Impl;
  explicit Model(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace octavo
