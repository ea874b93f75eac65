#include "quant/targets.h"

#include <algorithm>
#include <map>
#include <set>

#include "octavo/error.h"
#include "ops/evaluate.h"
#include "quant/attention.h"
#include "quant/exclusions.h"

namespace octavo::quant {
namespace {

constexpr std::string_view kMicrosoft = "com.microsoft";

bool is_weight(const ir::Graph& graph, ir::ValueId id, std::size_t rank) {
  const Tensor* tensor = id == ir::kNoValue ? nullptr : graph.constant(id);
  return tensor != nullptr && tensor->dtype() == DType::kFloat32 && tensor->rank() == rank &&
         tensor->elements() > 0;
}

/// True for a value that is computed from one constant by moving its elements.
bool is_moved_constant(const ir::Graph& graph, ir::ValueId id) {
  for (int depth = 0; id != ir::kNoValue && depth < 8; ++depth) {
    const ir::Node* node = graph.producer(id);
    if (node == nullptr) return depth > 0 && graph.constant(id) != nullptr;
    if (!node->is("Transpose") && !node->is("Identity") && !node->is("Reshape") &&
        !node->is("Cast")) {
      return false;
    }
    if (node->is("Reshape") && graph.constant(node->input(1)) == nullptr) return false;
    id = node->input(0);
  }
  return false;
}

Tensor kept(Tensor tensor, const TensorStore* store) {
  return store == nullptr ? tensor : store->keep(std::move(tensor));
}

/// The memory of what a moved constant was made from.
void release_sources(const ir::Graph& graph, ir::ValueId id) {
  while (graph.producer(id) != nullptr) id = graph.producer(id)->input(0);
  if (graph.constant(id) != nullptr) graph.constant(id)->release();
}

/// Which constant a moved one was made from, and how.
std::string moves_of(const ir::Graph& graph, ir::ValueId id) {
  std::string out;
  const auto add = [&](const std::vector<std::int64_t>& numbers) {
    for (const std::int64_t number : numbers) out += " " + std::to_string(number);
  };
  for (; graph.producer(id) != nullptr; id = graph.producer(id)->input(0)) {
    const ir::Node& node = *graph.producer(id);
    out += node.op;
    if (const auto perm = node.attributes.ints("perm")) add(*perm);
    add({node.attributes.int_or("to", 0), node.attributes.int_or("allowzero", 0)});
    if (node.is("Reshape")) add(graph.constant(node.input(1))->to_int64s());
    out += " of ";
  }
  return out + std::to_string(id);
}

void fold_weights(ir::Graph& graph, const TensorStore* store) {
  std::map<std::string, ir::ValueId> known;
  for (const ir::NodeId id : graph.topological_order()) {
    const ir::Node node = graph.node(id);
    if (!node.is("MatMul") && !node.is("Gemm") && !node.is("Gather")) continue;
    const std::size_t slot = node.is("Gather") ? 0 : 1;
    const ir::ValueId weight = node.input(slot);
    if (!is_moved_constant(graph, weight)) continue;
    const ir::ValueId wanted[] = {weight};
    const auto [at, fresh] = known.try_emplace(moves_of(graph, weight), ir::kNoValue);
    if (fresh) {
      Tensor moved = kept(ops::evaluate(graph, {}, wanted)[0].own(), store);
      release_sources(graph, weight);
      at->second = graph.add_constant(graph.value(weight).name, std::move(moved));
    }
    graph.replace_uses(weight, at->second);
  }
  graph.remove_dead();
}

Tensor transposed(const Tensor& matrix) {
  const auto rows = static_cast<std::size_t>(matrix.dim(0)),
             columns = static_cast<std::size_t>(matrix.dim(1));
  Tensor out(DType::kFloat32, {matrix.dim(1), matrix.dim(0)});
  const auto from = matrix.data<float>();
  const auto to = out.mutable_data<float>();
  constexpr std::size_t kTile = 32;
  for (std::size_t r0 = 0; r0 < rows; r0 += kTile) {
    for (std::size_t c0 = 0; c0 < columns; c0 += kTile) {
      for (std::size_t r = r0; r < std::min(rows, r0 + kTile); ++r) {
        for (std::size_t c = c0; c < std::min(columns, c0 + kTile); ++c)
          to[c * rows + r] = from[r * columns + c];
      }
    }
  }
  return out;
}

/// Gemm without scaling, of rows as they lie, as MatMul and Add.
void open_gemm(ir::Graph& graph, const QuantizeOptions& options, const TensorStore* store) {
  std::map<ir::ValueId, ir::ValueId> turned;
  for (const ir::NodeId id : graph.topological_order()) {
    const ir::Node node = graph.node(id);
    if (!node.is("Gemm") || !is_weight(graph, node.input(1), 2) ||
        node.attributes.int_or("transA", 0) != 0 || node.attributes.float_or("alpha", 1) != 1 ||
        node.attributes.float_or("beta", 1) != 1 || is_excluded(options, node)) {
      continue;
    }
    ir::ValueId weight = node.input(1);
    if (node.attributes.int_or("transB", 0) != 0) {
      const auto [at, fresh] = turned.try_emplace(weight, ir::kNoValue);
      if (fresh) {
        Tensor moved = kept(transposed(*graph.constant(weight)), store);
        graph.constant(weight)->release();
        at->second = graph.add_constant(graph.value(weight).name, std::move(moved));
      }
      weight = at->second;
    }
    const bool bias = node.input(2) != ir::kNoValue;
    const ir::ValueId product =
        graph.emit("MatMul", {node.input(0), weight}, {}, "", node.name + (bias ? "_MatMul" : ""));
    const ir::ValueId result =
        bias ? graph.emit("Add", {product, node.input(2)}, {}, "", node.name + "_Add") : product;
    graph.value(result).dtype = DType::kFloat32;
    graph.replace_uses(node.outputs[0], result);
  }
  graph.remove_dead();
}

bool quantised_already(const ir::Node& node) {
  static const std::set<std::string, std::less<>> kOps = {
      "QuantizeLinear",        "DequantizeLinear",     "DynamicQuantizeLinear",
      "MatMulInteger",         "QLinearMatMul",        "QAttention",
      "DynamicQuantizeMatMul", "MatMulIntegerToFloat", "QEmbedLayerNormalization",
      "MatMulNBits",           "GatherBlockQuantized", "MatMulBnb4",
      "ConvInteger",           "QLinearConv",          "QGemm"};
  return kOps.contains(node.op);
}

class Chooser {
 public:
  Chooser(const ir::Graph& graph, const QuantizeOptions& options)
      : graph_(graph), options_(options), exclusions_(options) {}

  Targets run() {
    std::set<ir::ValueId> seen;
    for (const ir::NodeId id : graph_.topological_order()) {
      const ir::Node& node = graph_.node(id);
      Target target;
      std::string reason;
      const bool taken = look(node, target, reason);
      if (!taken && reason.empty()) continue;
      if (const std::string excluded = exclusions_.reason(node); !excluded.empty())
        reason = excluded;
      if (!reason.empty()) {
        leave(node, reason);
        continue;
      }
      target.node = id;
      out_.nodes.push_back(target);
      if (target.activation == ir::kNoValue) continue;
      if (seen.insert(target.activation).second)
        out_.activations.push_back(graph_.value(target.activation).name);
      const bool output =
          options_.quantize_outputs ||
          (options_.mode == QuantizeMode::kStatic && options_.format == QuantizeFormat::kQOperator);
      if (output && target.kind == TargetKind::kProduct && seen.insert(node.outputs[0]).second)
        out_.activations.push_back(graph_.value(node.outputs[0]).name);
    }
    exclusions_.check();
    if (out_.nodes.empty()) check_something_is_left(options_, out_.left);
    return std::move(out_);
  }

 private:
  /// True for a target; else `reason` says why a node with weights is none.
  bool look(const ir::Node& node, Target& target, std::string& reason) const {
    if (node.is("MatMul")) {
      target = {TargetKind::kProduct, ir::kNoNode, node.input(1), node.input(0)};
      if (is_weight(graph_, node.input(1), 2)) return true;
      if (graph_.constant(node.input(1)) != nullptr || graph_.constant(node.input(0)) != nullptr)
        reason = "its weights are not a float32 matrix on the right";
    } else if (node.is("Gemm")) {
      if (graph_.constant(node.input(1)) != nullptr)
        reason = "it scales or transposes what it multiplies";
    } else if (node.is("FusedMatMul", kMicrosoft)) {
      if (graph_.constant(node.input(1)) != nullptr) reason = "no quantised FusedMatMul exists";
    } else if (node.is("Attention", kMicrosoft)) {
      target = {TargetKind::kAttention, ir::kNoNode, node.input(1), node.input(0)};
      if (is_weight(graph_, node.input(1), 2)) return true;
      reason = "its weights are not a constant float32 matrix";
    } else if (node.is("Gather") && is_weight(graph_, node.input(0), 2) &&
               graph_.constant(node.input(1)) == nullptr) {
      target = {TargetKind::kTable, ir::kNoNode, node.input(0), ir::kNoValue};
      const std::int64_t axis = node.attributes.int_or("axis", 0);
      if (axis == 0 || axis == -2) return true;
      reason = "it does not gather rows";
    } else if (node.is("EmbedLayerNormalization", kMicrosoft)) {
      target = {TargetKind::kEmbedding, ir::kNoNode, node.input(2), ir::kNoValue};
      if (is_weight(graph_, node.input(2), 2)) return true;
      reason = "its tables are not constant float32 matrices";
    }
    return false;
  }

  void leave(const ir::Node& node, std::string reason) {
    out_.left.push_back({node.name, node.op, false, std::move(reason)});
  }

  const ir::Graph& graph_;
  const QuantizeOptions& options_;
  Exclusions exclusions_;
  Targets out_;
};

}  // namespace

namespace {

[[noreturn]] void refuse_halves(const std::string& tensor, const ir::Node& node, DType dtype) {
  const std::string type = dtype == DType::kFloat16 ? "float16" : "bfloat16";
  throw Error(ErrorCode::kUnsupported,
              {.message = "the model is in " + type + " already",
               .place = "weights '" + tensor + "' of node '" + node.name + "' (" + node.op + ")",
               .expected = "a model in float32",
               .found = "weights in " + type,
               .fix = "start from the float32 model that it was made from"});
}

}  // namespace

void name_values(ir::Graph& graph) {
  std::set<std::string> taken;
  for (const ir::ValueId input : graph.inputs()) taken.insert(graph.value(input).name);
  for (const auto& output : graph.outputs()) taken.insert(output.name);
  std::set<ir::ValueId> kept(graph.inputs().begin(), graph.inputs().end());
  for (const auto& output : graph.outputs()) {
    if (kept.insert(output.value).second) graph.value(output.value).name = output.name;
  }
  const auto claim = [&](ir::ValueId id, const std::string& wanted) {
    if (!kept.insert(id).second) return;
    std::string name = wanted;
    for (std::size_t i = 1; !taken.insert(name).second; ++i)
      name = wanted + "_" + std::to_string(i);
    graph.value(id).name = std::move(name);
  };
  for (const ir::NodeId id : graph.topological_order()) {
    const ir::Node& node = graph.node(id);
    for (const auto& list : {node.inputs, node.outputs}) {
      for (std::size_t i = 0; i < list.size(); ++i) {
        if (list[i] == ir::kNoValue) continue;
        const std::string& own = graph.value(list[i]).name;
        const std::string base = node.name.empty() ? node.op : node.name;
        claim(list[i], own.empty() ? base + "_output_" + std::to_string(i) : own);
      }
    }
  }
}

void prepare(ir::Graph& graph, const QuantizeOptions& options, const TensorStore* store) {
  const bool arithmetic =
      options.mode == QuantizeMode::kFloat16 || options.mode == QuantizeMode::kBFloat16;
  fold_weights(graph, store);
  open_gemm(graph, options, store);
  if (!arithmetic) split_attention(graph, options);
  name_values(graph);
  std::set<std::string> names;
  for (const ir::NodeId id : graph.topological_order()) {
    ir::Node& node = graph.node(id);
    const std::string base = node.name.empty() ? node.op : node.name;
    node.name = base;
    for (std::size_t i = 1; !names.insert(node.name).second; ++i)
      node.name = base + "_" + std::to_string(i);
  }
}

void refuse_quantised(const ir::Graph& graph) {
  for (const ir::NodeId id : graph.topological_order()) {
    const ir::Node& node = graph.node(id);
    for (const ir::ValueId input : node.inputs) {
      const Tensor* tensor = input == ir::kNoValue ? nullptr : graph.constant(input);
      if (tensor == nullptr || tensor->rank() < 2) continue;
      if (tensor->dtype() == DType::kFloat16 || tensor->dtype() == DType::kBFloat16)
        refuse_halves(graph.value(input).name, node, tensor->dtype());
    }
    if (!quantised_already(node)) continue;
    throw Error(ErrorCode::kUnsupported, {.message = "the model is quantised already",
                                          .place = "node '" + node.name + "' (" + node.op + ")",
                                          .expected = "a model in float32",
                                          .fix = "start from the model before quantisation"});
  }
}

Targets quantizable(const ir::Graph& graph, const QuantizeOptions& options) {
  refuse_quantised(graph);
  return Chooser(graph, options).run();
}

}  // namespace octavo::quant
