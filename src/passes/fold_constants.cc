// Computes what depends on constants alone: shapes, and weights that a file stores as int8 with a
// scale. A result may not be much larger than what it is made from, so that a small file cannot ask
// for a lot of memory.
#include <algorithm>
#include <limits>

#include "octavo/error.h"
#include "ops/op.h"
#include "passes/pass.h"

namespace octavo::passes {
namespace {

constexpr double kFreeBytes = 1 << 20;  // results up to this size are always fine
constexpr double kGrowth = 16;          // larger ones: this many times the operands
constexpr double kTotalGrowth = 8;      // all together: this many times the constants of the graph

bool random(const ir::Node& node) {
  return node.op.starts_with("Random") || node.is("Multinomial") || node.is("Bernoulli");
}

double product(std::span<const std::int64_t> dims) {
  double out = 1;
  for (const std::int64_t dim : dims) out *= dim > 0 ? static_cast<double>(dim) : 1.0;
  return out;
}

double number(const Tensor& tensor) {
  if (tensor.elements() == 0) return 0;
  if (dtype_is_float(tensor.dtype())) {
    return static_cast<double>(tensor.to_float32().data<float>()[0]);
  }
  return static_cast<double>(tensor.to_int64s()[0]);
}

/// An upper estimate of the bytes of a node's result.
double result_bytes(const ir::Node& node, std::span<const Tensor* const> inputs) {
  const auto given = [&](std::size_t i) { return i < inputs.size() ? inputs[i] : nullptr; };
  const auto sizes = [&](std::size_t i) {
    const Tensor* t = given(i);
    return t == nullptr || dtype_is_float(t->dtype()) ? 1.0 : product(t->to_int64s());
  };
  constexpr double kElement = 8;
  if (node.is("ConstantOfShape")) return kElement * sizes(0);
  const double first = given(0) != nullptr ? static_cast<double>(given(0)->elements()) : 1;
  if (node.is("Expand") || node.is("Tile")) return kElement * first * sizes(1);
  if (node.is("Range") && given(2) != nullptr) {
    return kElement * (number(*inputs[1]) - number(*inputs[0])) / number(*inputs[2]);
  }
  if (node.is("Pad") || node.is("Resize") || node.is("Upsample") || node.is("OneHot")) {
    return std::numeric_limits<double>::infinity();
  }
  if (node.is("Gather") && given(1) != nullptr && given(0)->rank() > 0) {
    const auto axis = node.attributes.int_or("axis", 0);
    const auto rank = static_cast<std::int64_t>(given(0)->rank());
    const std::int64_t at = axis < 0 ? axis + rank : axis;
    if (at < 0 || at >= rank) return 0;
    const double dim = static_cast<double>(given(0)->dim(static_cast<std::size_t>(at)));
    return kElement * first / std::max(dim, 1.0) * static_cast<double>(given(1)->elements());
  }
  // Elementwise, layout and reductions: no more than the broadcast of all operands. A product has
  // at most rows times columns.
  Shape broadcast;
  double largest = 1;
  for (const Tensor* t : inputs) {
    if (t == nullptr) continue;
    largest = std::max(largest, static_cast<double>(t->elements()));
    if (t->rank() > broadcast.size()) {
      broadcast.insert(broadcast.begin(), t->rank() - broadcast.size(), 1);
    }
    const std::size_t lead = broadcast.size() - t->rank();
    for (std::size_t i = 0; i < t->rank(); ++i) {
      broadcast[lead + i] = std::max(broadcast[lead + i], t->dim(i));
    }
  }
  return kElement * std::max(product(broadcast), largest);
}

}  // namespace

void fold_constants(ir::Graph& graph, PassContext& context) {
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
    if (!constant) continue;
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
      value.constant = std::move(results[i]);
      value.producer = ir::kNoNode;
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

}  // namespace octavo::passes
