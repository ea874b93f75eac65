#include "runtime/fuse.h"

#include <algorithm>
#include <span>

#include "passes/match.h"
#include "runtime/integer_products.h"

namespace octavo::runtime {
namespace {

using passes::makes_one;
using passes::Readers;

constexpr std::int64_t kHeadsFirst[] = {0, 2, 1, 3}, kColumns[] = {0, 2, 3, 1},
                       kSwapped[] = {0, 1, 3, 2};

bool permutes(const ir::Node* node, std::span<const std::int64_t> order) {
  if (node == nullptr || !node->is("Transpose") || !makes_one(*node)) return false;
  const auto perm = node->attributes.ints("perm");
  return perm && std::equal(perm->begin(), perm->end(), order.begin(), order.end());
}

/// An operand of attention, before the transposition that puts heads first.
struct Operand {
  ir::ValueId value = ir::kNoValue;
  bool tokens_first = false;
};

Operand operand_of(const ir::Graph& graph, ir::ValueId value) {
  const ir::Node* node = graph.producer(value);
  if (permutes(node, kHeadsFirst)) return {node->input(0), true};
  return {value, false};
}

/// The operand of which `value` holds a key a column.
Operand keys_of(const ir::Graph& graph, ir::ValueId value) {
  const ir::Node* node = graph.producer(value);
  if (permutes(node, kColumns)) return {node->input(0), true};
  if (permutes(node, kSwapped)) return operand_of(graph, node->input(0));
  return {};
}

class AttentionFuser {
 public:
  explicit AttentionFuser(ir::Graph& graph) : graph_(graph), readers_(graph) {}

  void run() {
    for (const ir::NodeId id : graph_.topological_order()) {
      if (graph_.node(id).is("Softmax") && makes_one(graph_.node(id))) fuse(id);
    }
  }

 private:
  /// What makes `value` for one node alone.
  const ir::Node* maker(ir::ValueId value) const {
    const ir::Node* node = graph_.producer(value);
    if (node == nullptr || !makes_one(*node)) return nullptr;
    return readers_.only(value) == ir::kNoNode ? nullptr : node;
  }

  /// The product under `value`, and what its scores are multiplied by.
  const ir::Node* scores(ir::ValueId value, float& factor) const {
    const ir::Node* node = maker(value);
    if (node != nullptr && (node->is("Mul") || node->is("Div"))) {
      const bool division = node->is("Div");
      const bool right = division || graph_.constant(node->input(1)) != nullptr;
      const Tensor* by = graph_.constant(node->input(right ? 1 : 0));
      if (by == nullptr || by->dtype() != DType::kFloat32 || by->elements() != 1) return nullptr;
      const float number = by->data<float>()[0];
      node = maker(node->input(right ? 0 : 1));
      if (node == nullptr || !node->is("MatMul")) return nullptr;
      factor = division ? 1.0f / number : number;
    }
    return node != nullptr && node->is("MatMul") ? node : nullptr;
  }

  void fuse(ir::NodeId id) {
    const ir::Node softmax = graph_.node(id);
    const std::int64_t axis = softmax.attributes.int_or("axis", -1);
    const ir::NodeId next = readers_.only(softmax.outputs[0]);
    if ((axis != -1 && axis != 3) || next == ir::kNoNode) return;
    const ir::Node sums = graph_.node(next);
    if (!sums.is("MatMul") || !makes_one(sums) || sums.input(0) != softmax.outputs[0]) return;
    float factor = 1;
    ir::ValueId mask = ir::kNoValue;
    const ir::Node* product = scores(softmax.input(0), factor);
    const ir::Node* add = maker(softmax.input(0));
    if (product == nullptr && add != nullptr && add->is("Add")) {
      for (const std::size_t i : {0u, 1u}) {
        if (product != nullptr) break;
        product = scores(add->input(i), factor);
        mask = add->input(1 - i);
      }
    }
    if (product == nullptr) return;
    const Operand q = operand_of(graph_, product->input(0)), k = keys_of(graph_, product->input(1)),
                  v = operand_of(graph_, sums.input(1));
    if (k.value == ir::kNoValue) return;
    ir::ValueId out = sums.outputs[0];
    const ir::NodeId last = readers_.only(out);
    const bool turned = last != ir::kNoNode && permutes(&graph_.node(last), kHeadsFirst);
    if (turned) out = graph_.node(last).outputs[0];
    ir::Attributes attributes;
    attributes.set("factor", factor);
    attributes.set("tokens_first", std::vector<std::int64_t>{q.tokens_first, k.tokens_first,
                                                             v.tokens_first, turned});
    std::vector<ir::ValueId> inputs{q.value, k.value, v.value};
    if (mask != ir::kNoValue) inputs.push_back(mask);
    graph_.replace_uses(out, graph_.emit("Attend", std::move(inputs), std::move(attributes),
                                         std::string(kFusedDomain), softmax.name));
  }

  ir::Graph& graph_;
  const Readers readers_;
};

class ProductFuser {
 public:
  explicit ProductFuser(ir::Graph& graph)
      : graph_(graph), readers_(graph), taken_(graph.node_count(), false) {}

  void run() {
    for (const ir::NodeId id : graph_.topological_order()) {
      std::size_t weight = 0;
      const ir::Node& node = graph_.node(id);
      if (!is_integer_product(node, weight) || node.is("MatMulInteger") || !makes_one(node) ||
          graph_.constant(node.input(weight)) == nullptr) {
        continue;
      }
      fuse(node);
    }
  }

 private:
  void fuse(ir::Node product) {
    bool bytes = product.is("QLinearMatMul");
    const std::size_t own = product.inputs.size();
    std::string stages;
    ir::Attributes attributes;
    ir::ValueId value = product.outputs[0];
    std::vector<std::size_t> joined;
    for (ir::NodeId next = readers_.only(value); next != ir::kNoNode; next = readers_.only(value)) {
      const ir::Node& node = graph_.node(next);
      if (!makes_one(node) || taken_[static_cast<std::size_t>(next)]) break;
      if (bytes) {
        if (!node.is("DequantizeLinear") || node.input(0) != value ||
            node.input(1) != product.input(6) || node.input(2) != product.input(7)) {
          break;
        }
        stages += 'D';
        product.inputs.insert(product.inputs.end(), {node.input(1), node.input(2)});
        bytes = false;
      } else if (node.is("Add")) {
        const ir::ValueId addend = passes::other_input(node, value);
        if (addend == value) break;
        stages += 'A';
        product.inputs.push_back(addend);
      } else if (node.is("Gelu") && stages.find('G') == std::string::npos) {
        stages += 'G';
        attributes.set("approximate", node.attributes.string_or("approximate", "none"));
      } else if (node.is("QuantizeLinear") && node.input(0) == value &&
                 node.input(2) != ir::kNoValue && node.attributes.empty()) {
        stages += 'Q';
        product.inputs.insert(product.inputs.end(), {node.input(1), node.input(2)});
      } else {
        break;
      }
      joined.push_back(static_cast<std::size_t>(next));
      value = node.outputs[0];
      if (stages.back() == 'Q') break;
    }
    if (stages.empty()) return;
    for (const std::size_t i : joined) taken_[i] = true;
    attributes.set("product", product.op);
    attributes.set("product_inputs", static_cast<std::int64_t>(own));
    attributes.set("stages", stages);
    graph_.replace_uses(value,
                        graph_.emit("Product", std::move(product.inputs), std::move(attributes),
                                    std::string(kFusedDomain), product.name));
  }

  ir::Graph& graph_;
  const Readers readers_;
  std::vector<bool> taken_;
};

}  // namespace

ir::Graph fuse_nodes(ir::Graph graph) {
  AttentionFuser(graph).run();
  graph.remove_dead();
  ProductFuser(graph).run();
  graph.remove_dead();
  return graph;
}

}  // namespace octavo::runtime
