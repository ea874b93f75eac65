// A model ready to run on tokens: packed where the graph allows, else node by node, one sequence at
// a time so that the result of a text never depends on its neighbours.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "octavo/runtime_options.h"
#include "runtime/graph_runner.h"
#include "runtime/session.h"
#include "tasks/model_files.h"
#include "tasks/plan_cache.h"

namespace octavo::tasks {

/// Which model to run, and what becomes of its graph before it is planned.
struct RunnerModel {
  const ModelFiles& files;
  std::string use;  // says what `prepare` does: plans are kept by it
  std::function<OutputChoice(ir::Graph&)> prepare;
};

class Runner {
 public:
  /// Checks the options (kInvalidArgument; kUnsupported where the machine lacks the instruction
  /// set, or a precision is asked of a graph without a packed form). Takes a kept plan where there
  /// is one, else imports the model, lifts its graph, plans it, and keeps the plan where the
  /// options say so.
  Runner(const RunnerModel& model, const RuntimeOptions& options);

  using Sink = runtime::Session::Sink;
  /// As Session::run(). Outputs of a graph without a plan come as matrices too: [tokens, width] or
  /// [1, width].
  void run(const plan::PackedBatch& batch, const Sink& sink, plan::StepClock* clock = nullptr);

  /// What the one output of the graph gives: a row a token or a row a sequence. kUnsupported for
  /// anything else. From then on run() holds every result to it, so that a sink may rely on the
  /// layout and the width. `id` is a token to try.
  struct Rows {
    plan::Layout layout;
    std::size_t width;
  };
  Rows rows_of_output(std::int32_t id);

  /// The file is run as it says, roundings and all: RuntimeOptions::reference.
  bool reference() const { return reference_; }
  bool packed() const { return session_ != nullptr; }
  const std::string& note() const { return note_; }  // why it is not packed
  const ModelFacts& facts() const { return facts_; }
  /// "read from FILE", "kept as FILE", or why the plan was not kept; empty where nobody asked.
  const std::string& plan_source() const { return plan_source_; }
  /// Nothing for a graph that is not packed.
  const plan::Plan* plan() const { return session_ == nullptr ? nullptr : &session_->plan(); }
  runtime::GraphRunner* graph_runner() { return graph_runner_.get(); }

  /// Of a sequence; the greatest number there is where nothing limits it.
  std::size_t max_tokens() const;
  std::optional<std::size_t> token_limit() const;  // the same, nothing for no limit
  ThreadPool& pool() const { return *pool_; }
  IsaMask isa() const { return isa_; }
  /// fp32 for a graph without a plan, which is run as the file says.
  plan::Precision precision() const { return packed() ? precision_ : plan::Precision::kFp32; }
  /// All of the options that results depend on, for digests: "int8 avx512".
  std::string arithmetic() const;

 private:
  void build(const RunnerModel& model, PlanCache& cache);
  void run_unpacked(ir::Graph graph);
  [[noreturn]] void refuse_precision(const ModelFiles& files) const;
  Rows rows_of(const Tensor& tensor, std::size_t tokens) const;
  void run_alone(const plan::PackedBatch& batch, const Sink& sink);
  void run_sequence(const plan::PackedBatch& batch, std::size_t i, ThreadPool& pool,
                    const Sink& sink);

  IsaMask isa_;
  plan::Precision precision_;
  bool keeps_floats_;  // the precision is the model's own: what its file leaves in float stays so
  bool reference_;
  std::shared_ptr<ThreadPool> pool_;
  ModelFacts facts_;
  std::string plan_source_;
  std::unique_ptr<runtime::Session> session_;
  std::unique_ptr<runtime::GraphRunner> graph_runner_;
  std::optional<std::size_t> position_limit_;  // of graph_runner_
  std::string note_;
  std::optional<Rows> expected_;
};

}  // namespace octavo::tasks
