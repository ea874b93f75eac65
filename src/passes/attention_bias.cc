#include "passes/attention_bias.h"

#include <limits>

namespace octavo::passes {
namespace {

class Emitter {
 public:
  Emitter(ir::Graph& graph, const std::string& name) : graph_(graph), name_(name) {}

  ir::ValueId op(const char* op, std::vector<ir::ValueId> inputs, ir::Attributes attributes = {}) {
    std::string name = name_ + "/" + op + "_" + std::to_string(graph_.node_count());
    return graph_.emit(op, std::move(inputs), std::move(attributes), "", std::move(name));
  }
  ir::ValueId integer(std::int64_t value) {
    return graph_.add_constant(name_ + ".integer", Tensor::scalar<std::int64_t>(value));
  }
  ir::ValueId axes(std::vector<std::int64_t> values) {
    return graph_.add_constant(name_ + ".axes", Tensor::vector<std::int64_t>(values));
  }
  ir::ValueId number(float value) {
    return graph_.add_constant(name_ + ".number", Tensor::scalar<float>(value));
  }
  /// key - query, of the rank that the axes give.
  ir::ValueId distances(ir::ValueId positions, std::vector<std::int64_t> of_keys,
                        std::vector<std::int64_t> of_queries) {
    return op("Sub", {op("Unsqueeze", {positions, axes(std::move(of_keys))}),
                      op("Unsqueeze", {positions, axes(std::move(of_queries))})});
  }

 private:
  ir::Graph& graph_;
  const std::string& name_;
};

}  // namespace

ir::ValueId emit_positions(ir::Graph& graph, ir::ValueId ids, const std::string& name) {
  Emitter e(graph, name);
  const ir::ValueId length = e.op("Gather", {e.op("Shape", {ids}), e.integer(1)});
  return e.op("Range", {e.integer(0), length, e.integer(1)});
}

ir::ValueId emit_window_bias(ir::Graph& graph, ir::ValueId ids, std::int64_t window,
                             const std::string& name) {
  Emitter e(graph, name);
  const ir::ValueId distances = e.distances(emit_positions(graph, ids, name), {0, 1, 2}, {0, 1, 3});
  const ir::ValueId far = e.op("Greater", {e.op("Abs", {distances}), e.integer(window)});
  return e.op("Where", {far, e.number(std::numeric_limits<float>::lowest()), e.number(0)});
}

ir::ValueId emit_relative_bias(ir::Graph& graph, ir::ValueId ids, const Tensor& bias,
                               const std::string& name) {
  // Distance d is column d, which for d < 0 counts from the end.
  const std::int64_t heads = bias.dim(0), columns = bias.dim(1), radius = columns / 2;
  Tensor table(DType::kFloat32, {1, heads, columns});
  for (std::int64_t n = 0; n < heads; ++n) {
    for (std::int64_t d = -radius; d <= radius; ++d) {
      table.mutable_data<float>()[static_cast<std::size_t>(n * columns +
                                                           (d < 0 ? columns + d : d))] =
          bias.data<float>()[static_cast<std::size_t>(n * columns + radius + d)];
    }
  }
  Emitter e(graph, name);
  const ir::ValueId distances = e.distances(emit_positions(graph, ids, name), {0}, {1});
  // Clip has integers from opset 12 on.
  const ir::ValueId column =
      e.op("Min", {e.op("Max", {distances, e.integer(-radius)}), e.integer(radius)});
  ir::Attributes attributes;
  attributes.set("axis", std::int64_t{2});
  return e.op("Gather", {graph.add_constant(name + ".table", std::move(table)), column},
              std::move(attributes));
}

RotaryTables emit_rotary_tables(ir::Graph& graph, ir::ValueId ids, ir::ValueId inv_freq,
                                const std::string& name) {
  Emitter e(graph, name);
  ir::Attributes to_float;
  to_float.set("to", std::int64_t{1});
  const ir::ValueId positions =
      e.op("Cast", {emit_positions(graph, ids, name)}, std::move(to_float));
  const ir::ValueId angles = e.op("Mul", {e.op("Unsqueeze", {positions, e.axes({1})}), inv_freq});
  return {e.op("Cos", {angles}), e.op("Sin", {angles})};
}

}  // namespace octavo::passes
