// Computes what depends on constants alone: shapes, and weights that a file stores as int8 with a
// scale. A result may not be much larger than what it is made from, so that a small file cannot ask
// for a lot of memory.
#include <algorithm>

#include "octavo/error.h"
#include "ops/op.h"
#include "passes/fusions.h"
#include "passes/pass.h"
#include "passes/result_size.h"

namespace octavo::passes {
namespace {

constexpr double kFreeBytes = 1 << 20;  // results up to this size are always fine
constexpr double kGrowth = 16;          // larger ones: this many times the operands
constexpr std::size_t kFewElements = 256;
constexpr double kTotalGrowth = 8;  // all together: this many times the constants of the graph

bool random(const ir::Node& node) {
  return node.op.starts_with("Random") || node.is("Multinomial") || node.is("Bernoulli");
}

/// What Identity, Reshape and the like give.
bool same_bytes(const Tensor& result, const std::vector<const Tensor*>& inputs) {
  return std::any_of(inputs.begin(), inputs.end(), [&](const Tensor* in) {
    return in != nullptr && in->bytes() == result.bytes();
  });
}

/// Weights in few bits: as floats they would take several times the space in a file.
bool quantized_weights(const ir::Node& node, const std::vector<const Tensor*>& inputs) {
  const bool dequantizes =
      node.is("DequantizeLinear") || node.is("DequantizeLinear", "com.microsoft");
  return dequantizes && !inputs.empty() && inputs[0] != nullptr &&
         inputs[0]->elements() > kFewElements;
}

void fold(ir::Graph& graph, PassContext& context, bool keep_quantized) {
  double constants = 0;
  for (std::size_t i = 0; i < graph.value_count(); ++i) {
    const Tensor* t = graph.constant(static_cast<ir::ValueId>(i));
    if (t != nullptr) constants += static_cast<double>(t->byte_size());
  }
  std::vector<std::size_t> uses(graph.value_count(), 0);  // what is not read any more is freed
  for (const auto& output : graph.outputs()) ++uses[static_cast<std::size_t>(output.value)];
  const auto all_readers = graph.readers();
  for (std::size_t i = 0; i < uses.size(); ++i) uses[i] += all_readers[i].size();
  double left = kTotalGrowth * constants + 16 * kFreeBytes;
  for (const ir::NodeId id : graph.topological_order()) {
    ir::Node& node = graph.node(id);
    const ops::OpDef* op = ops::find_op(node.op, node.domain);
    if (op == nullptr || random(node)) continue;
    std::vector<const Tensor*> inputs;
    bool constant = true;
    double operands = 0;
    for (const ir::ValueId in : node.inputs) {
      inputs.push_back(graph.constant(in));
      constant &= in == ir::kNoValue || inputs.back() != nullptr;
      if (inputs.back() != nullptr) operands += static_cast<double>(inputs.back()->byte_size());
    }
    if (!constant || (keep_quantized && quantized_weights(node, inputs))) continue;
    const double bytes = result_bytes(node, inputs);
    if (bytes > left || (bytes > kFreeBytes && bytes > kGrowth * operands)) {
      context.near_miss("node '" + node.name + "' (" + node.op + ")",
                        "its result is too large to be computed ahead");
      continue;
    }
    std::vector<Tensor> results;
    try {
      results = op->reference({node, inputs});
    } catch (const Error& error) {
      context.near_miss("node '" + node.name + "' (" + node.op + ")", error.info().message);
      continue;
    }
    if (results.size() < node.outputs.size()) continue;
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i] == ir::kNoValue) continue;
      ir::Value& value = graph.value(node.outputs[i]);
      left -= static_cast<double>(results[i].byte_size());
      value.dtype = results[i].dtype();
      value.constant = same_bytes(results[i], inputs) ? std::move(results[i])
                                                      : context.keep(std::move(results[i]));
      value.producer = ir::kNoNode;
    }
    for (const Tensor* in : inputs) {
      if (in != nullptr) in->release();
    }
    node.alive = false;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const ir::ValueId in = node.inputs[i];
      const auto first = std::find(node.inputs.begin(), node.inputs.end(), in);
      if (in == ir::kNoValue || first - node.inputs.begin() != static_cast<std::ptrdiff_t>(i)) {
        continue;
      }
      if (--uses[static_cast<std::size_t>(in)] == 0) graph.value(in).constant.reset();
    }
    context.fire();
  }
}

}  // namespace

void fold_constants(ir::Graph& graph, PassContext& context) { fold(graph, context, false); }
void fold_unquantized(ir::Graph& graph, PassContext& context) { fold(graph, context, true); }

}  // namespace octavo::passes
