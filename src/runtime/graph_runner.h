// Runs a graph that has no packed plan, node by node on padded tensors, with the reference
// operators and faster kernels for products and for what works on rows.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <tuple>
#include <vector>

#include "base/buffer.h"
#include "base/thread_pool.h"
#include "ir/graph.h"
#include "kernels/matmul/matmul.h"
#include "ops/evaluate.h"
#include "runtime/integer_products.h"

namespace octavo::runtime {

/// Whether float32 weights are held packed, or packed anew by every product and given back where
/// they are a mapped file's: the same bits, more slowly, in the memory of a panel a thread.
enum class WeightMemory { kHeld, kStreamed };

class GraphRunner {
 public:
  GraphRunner(ir::Graph graph, IsaMask isa, std::shared_ptr<ThreadPool> pool,
              WeightMemory weights = WeightMemory::kHeld);

  /// Sees every value that a node makes, in the order of execution.
  using Tap = std::function<void(ir::ValueId, const Tensor&)>;

  /// Feeds by input name, integers as int64 whatever integer the graph takes; an input of the graph
  /// that is missing, or a name it does not have, is Error(kInvalidArgument). Outputs in the order
  /// of graph().outputs().
  /// Values of `given` are taken as they are, and what only they needed does not run.
  std::vector<Tensor> run(const std::map<std::string, Tensor>& feeds, const Tap& tap = {},
                          const ops::Feeds& given = {});

  /// The same on the threads of `pool`. Several threads may, each with a pool of its own, and get
  /// the bits that one would.
  std::vector<Tensor> run(const std::map<std::string, Tensor>& feeds, ThreadPool& pool,
                          const Tap& tap = {}, const ops::Feeds& given = {});

  const ir::Graph& graph() const { return graph_; }

 private:
  std::vector<Tensor> evaluate(const ir::Graph& graph, const std::map<std::string, Tensor>& feeds,
                               ThreadPool& pool, const Tap& tap, const ops::Feeds& given);
  bool accelerate(const ir::Graph& graph, const ops::OpCall& call, ThreadPool& pool,
                  std::vector<Tensor>& outputs);
  bool run_product(const ir::Graph& graph, const ops::OpCall& call, ThreadPool& pool,
                   std::vector<Tensor>& outputs);
  const float* packed(const Tensor& weight);
  const IntegerMatrix* integer_matrix(const ir::Graph& graph, const ops::OpCall& call);

  ir::Graph graph_;
  ir::Graph fused_;  // the same, for who sees no values between
  IsaMask isa_;
  const kernels::MatmulKernel& kernel_;
  WeightMemory weights_;
  std::shared_ptr<ThreadPool> pool_;
  std::mutex mutex_;                                                        // of what follows
  using Weight = std::tuple<const std::byte*, std::int64_t, std::int64_t>;  // in both graphs
  std::map<Weight, std::unique_ptr<Buffer>> packed_;
  std::map<Weight, std::unique_ptr<IntegerMatrix>> integers_;
};

}  // namespace octavo::runtime
