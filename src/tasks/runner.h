// A model ready to run on tokens: packed where the graph allows, else node by node, one sequence at
// a time so that the result of a text never depends on its neighbours.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "octavo/runtime_options.h"
#include "passes/lift.h"
#include "runtime/graph_runner.h"
#include "runtime/session.h"
#include "tasks/model_files.h"

namespace octavo::tasks {

class Runner {
 public:
  /// Checks the options (kInvalidArgument, kUnsupported), lifts the graph and plans it. Only with
  /// `describe` does it keep lifted_op_counts() and lifted_text().
  Runner(ir::Graph graph, const RuntimeOptions& options, bool describe = false);

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

  bool packed() const { return session_ != nullptr; }
  const std::string& note() const { return note_; }  // why it is not packed
  const passes::LiftReport& lift_report() const { return report_; }
  /// Nothing for a graph that is not packed.
  const plan::Plan* plan() const { return session_ == nullptr ? nullptr : &session_->plan(); }
  runtime::GraphRunner* graph_runner() { return graph_runner_.get(); }
  /// Operators after the passes, by name.
  const std::map<std::string, std::size_t>& lifted_op_counts() const { return lifted_counts_; }
  const std::string& lifted_text() const { return lifted_text_; }

  /// Of a sequence; the greatest number there is where nothing limits it.
  std::size_t max_tokens() const;
  std::optional<std::size_t> token_limit() const;  // the same, nothing for no limit
  ThreadPool& pool() const { return *pool_; }
  IsaMask isa() const { return isa_; }
  plan::Precision precision() const { return precision_; }

 private:
  Rows rows_of(const Tensor& tensor, std::size_t tokens) const;
  void run_alone(const plan::PackedBatch& batch, const Sink& sink);

  IsaMask isa_;
  plan::Precision precision_;
  std::shared_ptr<ThreadPool> pool_;
  passes::LiftReport report_;
  std::map<std::string, std::size_t> lifted_counts_;
  std::string lifted_text_;
  std::unique_ptr<runtime::Session> session_;
  std::unique_ptr<runtime::GraphRunner> graph_runner_;
  std::string note_;
  std::optional<Rows> expected_;
};

/// "MatMul" -> how many alive nodes; operators outside the standard domain as "domain.Op".
std::map<std::string, std::size_t> count_ops(const ir::Graph& graph);

}  // namespace octavo::tasks
