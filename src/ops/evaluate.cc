#include "ops/evaluate.h"

#include "octavo/error.h"
#include "ops/reference.h"

namespace octavo::ops {
namespace {

class Evaluator {
 public:
  Evaluator(const ir::Graph& graph, const Feeds& feeds, const EvaluateOptions& options)
      : graph_(graph), options_(options), values_(graph.value_count()), uses_(graph.value_count()) {
    for (const auto& [id, tensor] : feeds) {
      if (!valid(id)) fail_value(id);
      const ir::Value& value = graph.value(id);
      if (value.dtype && *value.dtype != tensor.dtype()) {
        throw Error(ErrorCode::kInvalidArgument,
                    {.message = "an input has the wrong element type",
                     .place = "value '" + value.name + "'",
                     .expected = std::string(dtype_name(*value.dtype)),
                     .found = std::string(dtype_name(tensor.dtype()))});
      }
      values_[index(id)] = tensor;
    }
  }

  std::vector<Tensor> run(std::span<const ir::ValueId> wanted) {
    mark(wanted);
    for (const ir::NodeId id : graph_.topological_order()) {
      if (needed_[static_cast<std::size_t>(id)]) run_node(graph_.node(id));
    }
    std::vector<Tensor> out;
    for (const ir::ValueId id : wanted) out.push_back(*find(id));
    return out;
  }

 private:
  static std::size_t index(ir::ValueId id) { return static_cast<std::size_t>(id); }
  bool valid(ir::ValueId id) const { return id >= 0 && index(id) < values_.size(); }

  [[noreturn]] static void fail_value(ir::ValueId id) {
    throw Error(ErrorCode::kInvalidArgument,
                {.message = "the graph has no such value", .place = "value " + std::to_string(id)});
  }

  const Tensor* find(ir::ValueId id) const {
    if (values_[index(id)]) return &*values_[index(id)];
    return graph_.constant(id);
  }

  // Nodes that `wanted` needs, and how often each value is read by them.
  void mark(std::span<const ir::ValueId> wanted) {
    needed_.assign(graph_.node_count(), false);
    std::vector<ir::ValueId> pending;
    for (const ir::ValueId id : wanted) {
      if (!valid(id)) fail_value(id);
      ++uses_[index(id)];
      pending.push_back(id);
    }
    while (!pending.empty()) {
      const ir::ValueId id = pending.back();
      pending.pop_back();
      if (find(id) != nullptr) continue;
      const ir::NodeId producer = graph_.value(id).producer;
      if (producer == ir::kNoNode || !graph_.node(producer).alive) {
        throw Error(ErrorCode::kInvalidArgument, {.message = "a value is needed that nothing gives",
                                                  .place = "value '" + graph_.value(id).name + "'",
                                                  .expected = "a tensor for this input",
                                                  .fix = "give the model all of its inputs"});
      }
      if (needed_[static_cast<std::size_t>(producer)]) continue;
      needed_[static_cast<std::size_t>(producer)] = true;
      for (const ir::ValueId in : graph_.node(producer).inputs) {
        if (in == ir::kNoValue) continue;
        ++uses_[index(in)];
        pending.push_back(in);
      }
    }
  }

  void run_node(const ir::Node& node) {
    with_frame([&] { return "running node '" + node.name + "' (" + node.op + ")"; },
               [&] { call(node); });
  }

  void call(const ir::Node& node) {
    std::vector<const Tensor*> inputs;
    for (const ir::ValueId in : node.inputs) {
      inputs.push_back(in == ir::kNoValue ? nullptr : find(in));
    }
    const OpCall op_call{node, inputs};
    for (const Tensor* in : inputs) {
      if (in != nullptr && !is_possible(in->shape(), in->dtype())) {
        op_call.fail("an input is too large",
                     "at most " + std::to_string(kMaxTensorBytes) + " bytes",
                     "shape " + shape_to_string(in->shape()));
      }
    }
    std::vector<Tensor> outputs;
    if (!options_.accelerate || !options_.accelerate(op_call, outputs)) {
      const OpDef* op = find_op(node.op, node.domain);
      if (op == nullptr) {
        throw Error(
            ErrorCode::kUnsupported,
            {.message = "there is no such operator",
             .place = "operator " + (node.domain.empty() ? "" : node.domain + ".") + node.op,
             .fix = "use a model whose operators are all known"});
      }
      outputs = op->reference(op_call);
    }
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      const ir::ValueId out = node.outputs[i];
      if (out == ir::kNoValue) continue;
      if (i >= outputs.size()) {
        if (uses_[index(out)] == 0) continue;
        op_call.fail("an output is not supported", std::to_string(outputs.size()) + " outputs",
                     std::to_string(node.outputs.size()) + " outputs");
      }
      if (values_[index(out)]) continue;  // fed
      if (options_.observe) options_.observe(out, outputs[i]);
      if (uses_[index(out)] != 0) values_[index(out)] = std::move(outputs[i]);
    }
    for (const ir::ValueId in : node.inputs) {
      if (in != ir::kNoValue && --uses_[index(in)] == 0) values_[index(in)].reset();
    }
  }

  const ir::Graph& graph_;
  const EvaluateOptions& options_;
  std::vector<std::optional<Tensor>> values_;
  std::vector<std::size_t> uses_;
  std::vector<bool> needed_;
};

}  // namespace

std::vector<Tensor> evaluate(const ir::Graph& graph, const Feeds& feeds,
                             std::span<const ir::ValueId> wanted, const EvaluateOptions& options) {
  return Evaluator(graph, feeds, options).run(wanted);
}

}  // namespace octavo::ops
