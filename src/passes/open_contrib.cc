// com.microsoft operators as the standard operators they stand for, exactly: what is rounded stays
// rounded. What is left of the domain then is for other passes: MultiHeadAttention (every kind of
// attention becomes one), FusedMatMul and RotaryEmbedding for open_attention, and 8-bit products
// and element operations for widen_quantized.
#include <array>

#include "octavo/error.h"
#include "ops/contrib_blocks.h"
#include "passes/match.h"
#include "passes/pass.h"

namespace octavo::passes {
namespace {

constexpr std::string_view kContrib = "com.microsoft";

class Opener {
 public:
  Opener(ir::Graph& graph, PassContext& context)
      : graph_(graph), context_(context), readers_(graph) {
    for (std::size_t i = 0; i < graph.value_count(); ++i) {
      const Tensor* t = graph.constant(static_cast<ir::ValueId>(i));
      half_ |= t != nullptr && dtype_size(t->dtype()) == 2 && dtype_is_float(t->dtype());
    }
  }

  void run() {
    for (const ir::NodeId id : graph_.topological_order()) {
      node_ = graph_.node(id);  // a copy: emitting moves nodes
      const bool simplified = node_.is("SimplifiedLayerNormalization");
      if (node_.domain != kContrib && !simplified) continue;
      std::string_view reason;
      try {
        reason = open();
      } catch (const Error& error) {
        context_.near_miss("node '" + node_.name + "'", error.info().message);
        continue;
      }
      if (reason == kNotMine) continue;
      if (!reason.empty()) context_.near_miss("node '" + node_.name + "'", reason);
      if (reason.empty()) context_.fire();
    }
  }

 private:
  static constexpr std::string_view kNotMine = "-";

  /// Why not; empty when it was rewritten.
  std::string_view open() {
    const std::string& op = node_.op;
    if (op == "Gelu") return give(emit("Gelu", {in(0)}));
    if (op == "BiasGelu") return give(emit("Gelu", {emit("Add", {in(0), in(1)})}));
    if (op == "FastGelu") {
      return give(emit("Gelu", {plus(in(0), in(1))}, {{"approximate", std::string("tanh")}}));
    }
    if (op == "QuickGelu") return quick_gelu();
    if (op == "SimplifiedLayerNormalization") return simplified_norm();
    if (op == "SkipLayerNormalization") return skip_norm(false);
    if (op == "SkipSimplifiedLayerNormalization") return skip_norm(true);
    if (op == "EmbedLayerNormalization") return embed(false);
    if (op == "QEmbedLayerNormalization") return embed(true);
    if (op == "Attention") return attention(false);
    if (op == "QAttention") return attention(true);
    if (op == "FusedGemm") return fused_gemm();
    if (op == "MatMulNBits") return product(ops::nbits_weight, 5);
    if (op == "MatMulBnb4") return product(ops::bnb4_weight, 3);
    if (op == "GatherBlockQuantized") return gather();
    if (op == "QuantizeLinear" || op == "DequantizeLinear") {
      return give(emit(op, node_.inputs, node_.attributes));
    }
    return kNotMine;
  }

  ir::ValueId in(std::size_t i) const { return node_.input(i); }
  bool has(std::size_t i) const { return in(i) != ir::kNoValue; }
  bool used(std::size_t i) const {
    if (i >= node_.outputs.size() || node_.outputs[i] == ir::kNoValue) return false;
    return readers_.is_output(node_.outputs[i]) || !readers_.of(node_.outputs[i]).empty();
  }

  ir::ValueId emit(std::string op, std::vector<ir::ValueId> inputs, ir::Attributes attributes = {},
                   std::string_view domain = "") {
    while (!inputs.empty() && inputs.back() == ir::kNoValue) inputs.pop_back();
    std::string name = node_.name + "/" + op;
    return graph_.emit(std::move(op), std::move(inputs), std::move(attributes), std::string(domain),
                       std::move(name));
  }
  ir::ValueId emit(std::string op, std::vector<ir::ValueId> inputs,
                   std::initializer_list<std::pair<const char*, ir::Attribute>> list) {
    ir::Attributes attributes;
    for (const auto& [name, value] : list) attributes.set(name, value);
    return emit(std::move(op), std::move(inputs), std::move(attributes));
  }
  ir::ValueId constant(const char* what, Tensor tensor) {
    return graph_.add_constant(node_.name + "/" + what, std::move(tensor));
  }
  ir::ValueId integers(const char* what, std::vector<std::int64_t> values) {
    return constant(what, Tensor::vector<std::int64_t>(values));
  }
  ir::ValueId plus(ir::ValueId x, ir::ValueId optional) {
    return optional == ir::kNoValue ? x : emit("Add", {x, optional});
  }
  std::string_view give(ir::ValueId value, std::size_t output = 0) {
    if (output < node_.outputs.size() && node_.outputs[output] != ir::kNoValue) {
      graph_.replace_uses(node_.outputs[output], value);
    }
    return {};
  }

  std::string_view quick_gelu() {
    if (half_) return "the graph is in half precision";
    const ir::ValueId alpha =
        constant("alpha", Tensor::scalar(node_.attributes.float_or("alpha", 1.702f)));
    return give(emit("Mul", {in(0), emit("Sigmoid", {emit("Mul", {in(0), alpha})})}));
  }

  std::string_view simplified_norm() {
    if (used(1)) return "statistics are read";
    return give(emit("RMSNormalization", {in(0), in(1)},
                     {{"axis", node_.attributes.int_or("axis", -1)},
                      {"epsilon", node_.attributes.float_or("epsilon", 1e-5f)}}));
  }

  std::string_view skip_norm(bool simplified) {
    if (used(1) || used(2)) return "statistics are read";
    const float epsilon = node_.attributes.float_or("epsilon", 1e-12f);
    const ir::ValueId sum = plus(emit("Add", {in(0), in(1)}), in(simplified ? 3 : 4));
    give(emit(simplified ? "RMSNormalization" : "LayerNormalization",
              {sum, in(2), simplified ? ir::kNoValue : in(3)},
              {{"axis", std::int64_t{-1}}, {"epsilon", epsilon}}));
    return give(sum, 3);
  }

  /// Rows of a table; where it is quantised, scale and zero point are at `s` and `z`.
  ir::ValueId rows(std::size_t table, ir::ValueId ids, bool quantized, std::size_t s,
                   std::size_t z) {
    const ir::ValueId found = emit("Gather", {in(table), ids});
    return quantized ? emit("DequantizeLinear", {found, in(s), in(z)}) : found;
  }

  std::string_view embed(bool quantized) {
    const ir::ValueId ids = in(0);
    ir::ValueId places = quantized ? ir::kNoValue : in(8);
    const ir::ValueId sizes = emit("Shape", {ids});
    if (places == ir::kNoValue) {
      const ir::ValueId length =
          emit("Gather", {sizes, constant("one", Tensor::scalar<std::int64_t>(1))});
      places = emit("Range", {constant("first", Tensor::scalar<std::int64_t>(0)), length,
                              constant("step", Tensor::scalar<std::int64_t>(1))});
    }
    ir::ValueId sum = rows(2, ids, quantized, 8, 13);
    if (has(4)) sum = emit("Add", {sum, rows(4, in(1), quantized, 10, 15)});
    sum = emit("Add", {sum, rows(3, places, quantized, 9, 14)});
    ir::ValueId gamma = in(5), beta = in(6);
    if (quantized) {
      gamma = emit("DequantizeLinear", {gamma, in(11), in(16)});
      beta = emit("DequantizeLinear", {beta, in(12), in(17)});
    }
    if (used(1)) give(kept(in(7), sizes), 1);
    if (used(2)) give(sum, 2);
    return give(emit(
        "LayerNormalization", {sum, gamma, beta},
        {{"axis", std::int64_t{-1}}, {"epsilon", node_.attributes.float_or("epsilon", 1e-12f)}}));
  }

  /// How many tokens of a row the mask keeps, int32 [batch]; 0 without a mask.
  ir::ValueId kept(ir::ValueId mask, ir::ValueId sizes) {
    constexpr std::int64_t kInt32 = 6;
    if (mask == ir::kNoValue) {
      const ir::ValueId batch =
          emit("Slice", {sizes, integers("begin", {0}), integers("end", {1})});
      return emit("ConstantOfShape", {batch}, {{"value", Tensor::vector<std::int32_t>(kZero)}});
    }
    const ir::ValueId one = constant("kept", Tensor::scalar<std::int32_t>(1));
    const ir::ValueId equal = emit("Equal", {emit("Cast", {mask}, {{"to", kInt32}}), one});
    return emit("ReduceSum", {emit("Cast", {equal}, {{"to", kInt32}}), integers("axes", {1})},
                {{"keepdims", std::int64_t{0}}});
  }

  /// Widths of query, key and value; nothing when the weights do not say.
  std::optional<std::vector<std::int64_t>> widths() const {
    if (auto given = node_.attributes.ints("qkv_hidden_sizes"); given && !given->empty()) {
      return given->size() == 3 ? given : std::nullopt;
    }
    const Tensor* weights = graph_.constant(in(1));
    const ir::Node* from = graph_.producer(in(1));
    if (from != nullptr && from->is("DequantizeLinear")) weights = graph_.constant(from->input(0));
    if (weights == nullptr || weights->rank() != 2 || weights->dim(1) % 3 != 0) return std::nullopt;
    return std::vector<std::int64_t>(3, weights->dim(1) / 3);
  }

  std::string_view attention(bool quantized) {
    if (has(quantized ? 8 : 4) || (!quantized && has(6)) || used(1)) {
      return "it reads or writes past keys and values";
    }
    if (node_.attributes.int_or("do_rotary", 0) != 0) return "it rotates inside";
    const auto sizes = widths();
    if (!sizes) return "the widths of query, key and value are not known";
    const ir::ValueId qkv =
        quantized ? emit("MatMulIntegerToFloat", {in(0), in(1), in(3), in(4), in(6), in(7), in(2)},
                         {}, kContrib)
                  : plus(emit("MatMul", {in(0), in(1)}), in(2));
    ir::Node split;
    split.op = "Split";
    split.name = node_.name + "/Split";
    split.attributes.set("axis", std::int64_t{-1});
    split.inputs = {qkv, integers("widths", *sizes)};
    for (const char* part : {"/query", "/key", "/value"}) {
      split.outputs.push_back(graph_.add_value(node_.name + part));
    }
    const std::vector<ir::ValueId> parts = split.outputs;
    graph_.add_node(std::move(split));
    ir::Attributes attributes;
    for (const char* name : {"num_heads", "scale", "mask_filter_value", "unidirectional"}) {
      if (const ir::Attribute* value = node_.attributes.find(name)) attributes.set(name, *value);
    }
    return give(emit("MultiHeadAttention",
                     {parts[0], parts[1], parts[2], ir::kNoValue, in(quantized ? 5 : 3),
                      quantized ? ir::kNoValue : in(5)},
                     std::move(attributes), kContrib));
  }

  std::string_view fused_gemm() {
    const std::string activation = node_.attributes.string_or("activation", "");
    if (activation != "Relu" && activation != "Tanh" && activation != "Sigmoid") {
      return "its activation is not known";
    }
    ir::Attributes attributes;
    for (const char* name : {"transA", "transB", "alpha", "beta"}) {
      if (const ir::Attribute* value = node_.attributes.find(name)) attributes.set(name, *value);
    }
    return give(emit(activation, {emit("Gemm", node_.inputs, std::move(attributes))}));
  }

  /// Constants of the node, as its reference reads them; empty when one is not constant.
  std::vector<const Tensor*> constants(std::size_t moving, std::size_t count) const {
    std::vector<const Tensor*> out;
    for (std::size_t i = 0; i < std::min(count, node_.inputs.size()); ++i) {
      out.push_back(i == moving || !has(i) ? nullptr : graph_.constant(in(i)));
      if (i != moving && has(i) && out.back() == nullptr) return {};
    }
    return out;
  }

  std::string_view product(Tensor (*weight)(const ops::OpCall&), std::size_t bias) {
    const auto known = constants(0, bias);
    if (known.size() < 3 || known[2] == nullptr) return "its weights are no constants";
    const ops::OpCall call{node_, known};
    const Tensor matrix = ops::from_float32(call, weight(call), known[2]->dtype());
    const ir::ValueId y = emit("MatMul", {in(0), constant("weight", matrix)});
    return give(plus(y, in(bias)));
  }

  std::string_view gather() {
    const auto known = constants(1, 4);
    if (known.size() < 3 || known[2] == nullptr) return "its table is no constant";
    const ops::OpCall call{node_, known};
    const Tensor table = ops::from_float32(call, ops::block_table(call), known[2]->dtype());
    return give(emit("Gather", {constant("table", table), in(1)},
                     {{"axis", node_.attributes.int_or("gather_axis", 0)}}));
  }

  static constexpr std::array<std::int32_t, 1> kZero{0};

  ir::Graph& graph_;
  PassContext& context_;
  const Readers readers_;
  bool half_ = false;
  ir::Node node_;
};

}  // namespace

void open_contrib(ir::Graph& graph, PassContext& context) { Opener(graph, context).run(); }

}  // namespace octavo::passes
