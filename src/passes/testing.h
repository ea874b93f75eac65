// What the tests of the passes share: graphs of a few nodes, random batches, and the comparison of
// a graph before and after a pass at kept tokens.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "ops/evaluate.h"
#include "passes/pipeline.h"
#include "tensor/testing.h"

namespace octavo::passes::testing {

/// Builds graphs over input_ids, attention_mask (unless left out) and token_type_ids [batch,
/// sequence].
struct Builder {
  ir::Graph graph;
  ir::ValueId ids, mask = ir::kNoValue, types;
  unsigned seed = 1;

  explicit Builder(bool with_mask = true) {
    const std::vector<ir::Dim> shape{{.value = -1, .symbol = "batch"},
                                     {.value = -1, .symbol = "sequence"}};
    ids = graph.add_input("input_ids", DType::kInt64, shape);
    if (with_mask) mask = graph.add_input("attention_mask", DType::kInt64, shape);
    types = graph.add_input("token_type_ids", DType::kInt64, shape);
  }

  ir::ValueId op(std::string name, std::vector<ir::ValueId> inputs,
                 ir::Attributes attributes = {}) {
    return graph.emit(std::move(name), std::move(inputs), std::move(attributes));
  }
  ir::ValueId weight(Shape shape, float spread = 1.0f) {
    return graph.add_constant("weight", random_tensor(std::move(shape), ++seed, spread));
  }
  ir::ValueId number(float value) { return graph.add_constant("number", Tensor::scalar(value)); }
  ir::ValueId integer(std::int64_t value) {
    return graph.add_constant("integer", Tensor::scalar(value));
  }
  ir::ValueId integers(std::vector<std::int64_t> values) {
    return graph.add_constant("integers", Tensor::vector<std::int64_t>(values));
  }
  /// Embeddings [batch, sequence, channels] of the token ids.
  ir::ValueId tokens(std::int64_t channels) { return op("Gather", {weight({20, channels}), ids}); }
  void output(ir::ValueId value) { graph.add_output(value, "output"); }
};

inline ir::Attributes with(std::string name, ir::Attribute value) {
  ir::Attributes out;
  out.set(std::move(name), std::move(value));
  return out;
}

/// Output 0 on a right-padded random batch.
inline Tensor run(const ir::Graph& graph, const Batch& batch) {
  const Shape shape{batch.batch, batch.sequence};
  ops::Feeds feeds;
  for (const ir::ValueId id : graph.inputs()) {
    const std::string& name = graph.value(id).name;
    feeds[id] = Tensor::from<std::int64_t>(shape, name == "input_ids"        ? batch.ids
                                                  : name == "attention_mask" ? batch.mask
                                                                             : batch.types);
  }
  return ops::evaluate(graph, feeds, std::vector{graph.outputs()[0].value})[0];
}

/// Largest difference at kept tokens of [batch, sequence, ..] outputs.
inline double difference(const Tensor& a, const Tensor& b, const Batch& batch) {
  EXPECT_EQ(a.shape(), b.shape());
  if (a.shape() != b.shape()) return INFINITY;
  const bool tokens = a.rank() >= 2 && a.dim(0) == batch.batch && a.dim(1) == batch.sequence;
  const std::size_t width =
      tokens ? a.elements() / static_cast<std::size_t>(batch.batch * batch.sequence) : 1;
  double worst = 0;
  for (std::size_t i = 0; i < a.elements(); ++i) {
    if (tokens && batch.mask[i / width] == 0) continue;
    const double d = std::fabs(double{a.data<float>()[i]} - double{b.data<float>()[i]});
    worst = std::max(worst, std::isnan(d) ? INFINITY : d);
  }
  return worst;
}

inline std::size_t count(const ir::Graph& graph, std::string_view op,
                         std::string_view domain = "") {
  std::size_t out = 0;
  for (const ir::NodeId id : graph.topological_order()) out += graph.node(id).is(op, domain);
  return out;
}

struct Outcome {
  std::size_t fired = 0;
  std::vector<std::string> notes;
};

/// Runs one pass; checks that the outputs stay at two sizes, and that a second run finds nothing.
inline Outcome apply(PassFunction pass, ir::Graph& graph) {
  const std::vector<Batch> batches{make_batch(6, {6, 2, 4}), make_batch(11, {11, 9})};
  std::vector<Tensor> before;
  for (const Batch& batch : batches) before.push_back(run(graph, batch));
  Outcome out;
  for (int round = 0; round < 2; ++round) {
    PassContext context(graph);
    pass(graph, context);
    graph.remove_dead();
    graph.verify();
    if (round == 1) {
      EXPECT_EQ(context.fired(), 0u) << "the pass finds something in its own result";
      continue;
    }
    out = {context.fired(), context.take_notes()};
  }
  for (std::size_t i = 0; i < batches.size(); ++i) {
    EXPECT_LE(difference(before[i], run(graph, batches[i]), batches[i]), 2e-5);
  }
  return out;
}

}  // namespace octavo::passes::testing
