// Checks of lifted graphs that the golden files and the real models share.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "formats/onnx_reader.h"
#include "importers/onnx.h"
#include "ops/evaluate.h"
#include "passes/lift.h"

namespace octavo::parity {

inline std::size_t nodes_of(const ir::Graph& graph, std::string_view op,
                            std::string_view domain = "") {
  std::size_t out = 0;
  for (const ir::NodeId id : graph.topological_order()) out += graph.node(id).is(op, domain);
  return out;
}

inline std::vector<Tensor> outputs_of(const ir::Graph& graph, const passes::Batch& batch) {
  const Shape shape{batch.batch, batch.sequence};
  ops::Feeds feeds;
  for (const ir::ValueId id : graph.inputs()) {
    const std::string& name = graph.value(id).name;
    feeds[id] = Tensor::from<std::int64_t>(shape, name == "input_ids"        ? batch.ids
                                                  : name == "attention_mask" ? batch.mask
                                                                             : batch.types);
  }
  std::vector<ir::ValueId> wanted;
  for (const auto& output : graph.outputs()) wanted.push_back(output.value);
  return ops::evaluate(graph, feeds, wanted);
}

/// Largest difference of two outputs, at kept tokens where the second dimension is the sequence.
inline double kept_difference(const Tensor& a, const Tensor& b,
                              const std::vector<std::int64_t>& mask) {
  EXPECT_EQ(a.shape(), b.shape());
  if (a.shape() != b.shape()) return INFINITY;
  const bool tokens = a.rank() == 3;
  double worst = 0;
  for (std::size_t i = 0; i < a.elements(); ++i) {
    if (tokens && mask[i / static_cast<std::size_t>(a.dim(2))] == 0) continue;
    const double d = std::fabs(double{a.data<float>()[i]} - double{b.data<float>()[i]});
    worst = std::max(worst, std::isnan(d) ? INFINITY : d);
  }
  return worst;
}

/// Lifts a copy of `graph`; checks that it lifts, that nothing of the written-out form is left, and
/// that it computes what `graph` does.
inline ir::Graph check_lift(const ir::Graph& graph, const std::vector<passes::Batch>& batches) {
  ir::Graph out = graph;
  const std::size_t layers = nodes_of(graph, "Softmax");
  const passes::LiftReport report = passes::lift(out);
  std::string notes;
  for (const std::string& note : report.notes) notes += note + "\n";
  EXPECT_TRUE(report.lifted) << notes;
  EXPECT_TRUE(notes.empty()) << notes;
  EXPECT_EQ(nodes_of(out, "Attention", "ai.octavo"), layers);
  for (const char* op : {"Softmax", "Shape", "Reshape", "Transpose", "Where", "Cast", "Expand",
                         "Concat", "Unsqueeze", "Erf", "ReduceMean"}) {
    EXPECT_EQ(nodes_of(out, op), 0u) << op;
  }
  for (const passes::Batch& batch : batches) {
    const std::vector<Tensor> before = outputs_of(graph, batch), after = outputs_of(out, batch);
    for (std::size_t i = 0; i < before.size(); ++i) {
      EXPECT_LE(kept_difference(before[i], after[i], batch.mask), 2e-5)
          << "batch " << batch.batch << ", sequence " << batch.sequence;
    }
  }
  return out;
}

}  // namespace octavo::parity
