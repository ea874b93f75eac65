// Runs a graph that has no packed plan, node by node on padded tensors, with the reference
// operators and fast matrix products.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/buffer.h"
#include "base/thread_pool.h"
#include "ir/graph.h"
#include "kernels/matmul/matmul.h"
#include "ops/evaluate.h"

namespace octavo::runtime {

class GraphRunner {
 public:
  GraphRunner(ir::Graph graph, IsaMask isa, std::shared_ptr<ThreadPool> pool);

  /// Sees every value that a node makes, in the order of execution.
  using Tap = std::function<void(ir::ValueId, const Tensor&)>;

  /// Feeds by input name; an input of the graph that is missing, or a name it does not have, is
  /// Error(kInvalidArgument). Outputs in the order of graph().outputs().
  std::vector<Tensor> run(const std::map<std::string, Tensor>& feeds, const Tap& tap = {});

  const ir::Graph& graph() const { return graph_; }

 private:
  bool accelerate(const ops::OpCall& call, std::vector<Tensor>& outputs);
  const float* packed(const Tensor& weight, const ir::Node& node);

  ir::Graph graph_;
  const kernels::MatmulKernel& kernel_;
  std::shared_ptr<ThreadPool> pool_;
  std::map<const ir::Node*, std::unique_ptr<Buffer>> packed_;
};

}  // namespace octavo::runtime
