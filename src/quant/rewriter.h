// What every quantiser does to a graph: new nodes with the names onnxruntime's tools give, weights
// quantised once however many nodes read them, and a report.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "ir/graph.h"
#include "octavo/quantize.h"
#include "quant/scale.h"

namespace octavo::quant {

/// Quantised values, and the values of their scale and zero point.
struct QuantizedValue {
  ir::ValueId values = ir::kNoValue, scale = ir::kNoValue, zero = ir::kNoValue;
};

class Rewriter {
 public:
  Rewriter(ir::Graph& graph, const QuantizeOptions& options) : graph_(graph), options_(options) {}

  ir::Graph& graph() { return graph_; }
  const QuantizeOptions& options() const { return options_; }
  const std::string& name(ir::ValueId value) const { return graph_.value(value).name; }

  /// A node with one output of that name.
  ir::ValueId emit(std::string op, std::vector<ir::ValueId> inputs, std::string node_name,
                   std::string output_name, ir::Attributes attributes = {},
                   std::string domain = "");
  /// Who read `old` reads `now`, which takes its name.
  void replace(ir::ValueId old, ir::ValueId now);
  ir::ValueId scalar(const std::string& name, float value);
  ir::ValueId integers(const std::string& name, const std::vector<std::int64_t>& values);

  /// Quantised weights "{W}_quantized", "{W}_scale", "{W}_zero_point", as weight_scheme() says: a
  /// scale a column where the options say per channel.
  QuantizedValue product_weight(ir::ValueId weight);
  /// The same with another scheme and axis.
  QuantizedValue weight(ir::ValueId weight, const IntegerScheme& scheme,
                        std::optional<std::size_t> axis);
  /// product_weight() as floats again: DequantizeLinear.
  ir::ValueId dequantized_weight(ir::ValueId weight);

  /// What a weight was made into in another form: empty until who makes it says so.
  std::vector<ir::ValueId>& made_of(ir::ValueId weight) { return made_[weight]; }

  void done(const ir::Node& node, std::string what) {
    report_.push_back({node.name, node.op, true, std::move(what)});
  }
  void left(const ir::Node& node, std::string reason) {
    report_.push_back({node.name, node.op, false, std::move(reason)});
  }
  std::vector<QuantizedNode> take_report() { return std::move(report_); }

 private:
  ir::Graph& graph_;
  const QuantizeOptions& options_;
  std::map<std::pair<ir::ValueId, std::string>, QuantizedValue> weights_;
  std::map<ir::ValueId, ir::ValueId> dequantized_;
  std::map<ir::ValueId, std::vector<ir::ValueId>> made_;
  std::vector<QuantizedNode> report_;
};

/// The Add of a constant row that alone reads a product: the bias and the Add's output.
struct BiasAdd {
  ir::ValueId bias = ir::kNoValue, output = ir::kNoValue;
};
std::optional<BiasAdd> following_bias(const ir::Graph& graph, ir::ValueId product,
                                      std::int64_t columns);

}  // namespace octavo::quant
