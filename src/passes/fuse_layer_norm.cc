// LayerNormalization from its parts, as exporters before opset 17 write it:
//
//   d = x - ReduceMean(x);  d / Sqrt(ReduceMean(d * d) + epsilon) [* gamma] [+ beta]
//
// d * d may be Pow(d, 2) or Mul(d, d), d may be computed once or twice, sums and products may be in
// either order. And RMSNormalization(d) * gamma, which onnxruntime makes of a norm without bias.
#include "ops/op.h"
#include "passes/match.h"
#include "passes/pass.h"

namespace octavo::passes {
namespace {

bool is_op(const ir::Node* node, std::string_view op) { return node != nullptr && node->is(op); }

bool is_last_axis(std::int64_t axis, ir::ValueId value, PassContext& context) {
  if (axis == -1) return true;
  const Probe& probe = context.probe();
  const ProbeShape* shape = probe.usable() ? probe.shape(value) : nullptr;
  return shape != nullptr && axis == static_cast<std::int64_t>(shape->size()) - 1;
}

/// The input of a ReduceMean over the last axis that keeps it; kNoValue for anything else.
ir::ValueId mean_of(const ir::Graph& graph, ir::ValueId value, PassContext& context) {
  const ir::Node* node = graph.producer(value);
  if (!is_op(node, "ReduceMean") || node->attributes.int_or("keepdims", 1) == 0) {
    return ir::kNoValue;
  }
  const auto axes = integers_of(graph, *node, 1, "axes");
  if (!axes || axes->size() != 1) return ir::kNoValue;
  return is_last_axis((*axes)[0], node->input(0), context) ? node->input(0) : ir::kNoValue;
}

/// x of Sub(x, ReduceMean(x)).
ir::ValueId centered(const ir::Graph& graph, ir::ValueId value, PassContext& context) {
  const ir::Node* node = graph.producer(value);
  if (!is_op(node, "Sub")) return ir::kNoValue;
  const ir::ValueId x = node->input(0);
  return mean_of(graph, node->input(1), context) == x ? x : ir::kNoValue;
}

/// d of Pow(d, 2) or Mul(d, d).
ir::ValueId square_of(const ir::Graph& graph, ir::ValueId value) {
  const ir::Node* node = graph.producer(value);
  if (is_op(node, "Mul") && node->input(0) == node->input(1)) return node->input(0);
  if (is_op(node, "Pow") && scalar_constant(graph, node->input(1)) == 2.0) return node->input(0);
  return ir::kNoValue;
}

struct Spread {
  ir::ValueId x = ir::kNoValue;
  float epsilon = 0;
};

/// Sqrt(ReduceMean((x - mean(x))^2) + epsilon).
std::optional<Spread> spread_of(const ir::Graph& graph, ir::ValueId value, PassContext& context) {
  const ir::Node* root = graph.producer(value);
  if (!is_op(root, "Sqrt")) return std::nullopt;
  const ir::Node* sum = graph.producer(root->input(0));
  if (!is_op(sum, "Add")) return std::nullopt;
  for (std::size_t side = 0; side < 2; ++side) {
    const auto epsilon = scalar_constant(graph, sum->input(side));
    if (!epsilon) continue;
    const ir::ValueId variance = mean_of(graph, sum->input(1 - side), context);
    if (variance == ir::kNoValue) continue;
    const ir::ValueId d = square_of(graph, variance);
    if (d == ir::kNoValue) continue;
    const ir::ValueId x = centered(graph, d, context);
    if (x != ir::kNoValue) return Spread{x, static_cast<float>(*epsilon)};
  }
  return std::nullopt;
}

/// A constant that is one number for each element of the last axis: [H] or [1, .., 1, H].
const Tensor* row_constant(const ir::Graph& graph, ir::ValueId value) {
  const Tensor* tensor = graph.constant(value);
  if (tensor == nullptr || tensor->rank() == 0) return nullptr;
  const auto last = static_cast<std::size_t>(tensor->shape().back());
  return tensor->elements() == last && last > 1 ? tensor : nullptr;
}

/// When the only reader of *value is `op` with a row constant, moves *value to its output.
const Tensor* absorb(const ir::Graph& graph, const Readers& readers, std::string_view op,
                     ir::ValueId* value) {
  const ir::NodeId reader = readers.only(*value);
  if (reader == ir::kNoNode || !graph.node(reader).is(op)) return nullptr;
  if (!makes_one(graph.node(reader))) return nullptr;
  const Tensor* row = row_constant(graph, other_input(graph.node(reader), *value));
  if (row != nullptr) *value = graph.node(reader).outputs[0];
  return row;
}

Tensor flat(const Tensor& row) { return row.reshaped({row.shape().back()}); }

Tensor ones(std::int64_t size, DType dtype) {
  const std::vector<float> values(static_cast<std::size_t>(size), 1.0f);
  Tensor floats = Tensor::vector<float>(values);
  if (dtype == DType::kFloat32) return floats;
  ir::Node cast;
  cast.op = "Cast";
  cast.attributes.set("to", static_cast<std::int64_t>(dtype));
  const Tensor* input = &floats;
  return ops::find_op("Cast", "")->reference({cast, {&input, 1}}).front();
}

/// LayerNormalization of x for RMSNormalization of x - mean(x), over the last axis.
void center_rms_norm(ir::Graph& graph, ir::Node node, PassContext& context) {
  const ir::ValueId x = centered(graph, node.input(0), context);
  if (x == ir::kNoValue) return;
  const std::string where = "node '" + node.name + "'";
  if (!is_last_axis(node.attributes.int_or("axis", -1), x, context)) {
    context.near_miss(where, "the mean is over the last axis, the norm over more");
    return;
  }
  node.op = "LayerNormalization";
  node.inputs[0] = x;
  node.attributes.set("epsilon", node.attributes.float_or("epsilon", 1e-5f));
  graph.replace_uses(node.outputs[0],
                     graph.emit(node.op, std::move(node.inputs), std::move(node.attributes), "",
                                node.name + ".fused"));
  context.fire();
}

}  // namespace

void fuse_layer_norm(ir::Graph& graph, PassContext& context) {
  const Readers readers(graph);
  for (const ir::NodeId id : graph.topological_order()) {
    const ir::Node& node = graph.node(id);
    if (node.is("RMSNormalization") && makes_one(node)) {
      center_rms_norm(graph, node, context);
      continue;
    }
    if (!node.is("Div") || !makes_one(node)) continue;
    const auto spread = spread_of(graph, node.input(1), context);
    if (!spread) continue;
    const std::string where = "node '" + node.name + "'";
    if (centered(graph, node.input(0), context) != spread->x) {
      context.near_miss(where, "the numerator is not the input less its mean");
      continue;
    }
    ir::ValueId out = node.outputs[0];
    const Tensor* gamma = absorb(graph, readers, "Mul", &out);
    const Tensor* beta = absorb(graph, readers, "Add", &out);
    std::optional<Tensor> scale;
    if (gamma != nullptr) {
      scale = flat(*gamma);
    } else {
      const Probe& probe = context.probe();
      const ProbeShape* shape = probe.usable() ? probe.shape(spread->x) : nullptr;
      if (shape == nullptr || shape->empty() || !shape->back().constant()) {
        context.near_miss(where, "the size of the normalized axis is unknown");
        continue;
      }
      const auto dtype = probe.dtype(spread->x);
      if (!dtype || !dtype_is_float(*dtype)) {
        context.near_miss(where, "the type of its input is unknown");
        continue;
      }
      scale = ones(shape->back().factor, *dtype);
    }
    if (beta != nullptr && beta->elements() != scale->elements()) {
      context.near_miss(where, "scale and bias differ in size");
      continue;
    }
    const std::string name = node.name;
    ir::Attributes attributes;
    attributes.set("axis", std::int64_t{-1});
    attributes.set("epsilon", spread->epsilon);
    std::vector<ir::ValueId> inputs{spread->x, ir::kNoValue};
    if (beta != nullptr) {
      Tensor bias = flat(*beta);
      inputs.push_back(graph.add_constant(name + ".bias", std::move(bias)));
    }
    inputs[1] = graph.add_constant(name + ".scale", std::move(*scale));
    graph.replace_uses(out, graph.emit("LayerNormalization", std::move(inputs),
                                       std::move(attributes), "", name + ".fused"));
    context.fire();
  }
}

}  // namespace octavo::passes
