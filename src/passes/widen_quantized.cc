// Quantised products, tables and element operations as ones of float32, with the weights the file
// has: MatMulIntegerToFloat, DynamicQuantizeMatMul, QLinearMatMul, QGemm, QLinearAdd and the like,
// and whatever lies between QuantizeLinear and DequantizeLinear of the same scale.
//
// Every 8-bit value whose steps are known has a float twin: what it was before it was rounded. The
// operators that read it in float32 read the twin instead. Weights keep every rounding of the file;
// the rounding of activations goes away. How products are computed is for the plan to say (its
// precision), not for the file. Steps that begin at zero cut off what is below, as quantisers
// rely on when they drop a Relu: there the twin has a Relu, unless nothing is below.
#include <cstring>
#include <limits>
#include <map>

#include "passes/match.h"
#include "passes/pass.h"

namespace octavo::passes {
namespace {

constexpr std::string_view kContrib = "com.microsoft";
constexpr int kMostSteps = 8;   // that a value is followed back to see that it is not negative
constexpr int kDeepest = 1000;  // 8-bit operators in a row

bool quantizes(const ir::Node& node) {
  return node.op == "QuantizeLinear" && (node.domain.empty() || node.domain == kContrib);
}

class Widener {
 public:
  Widener(ir::Graph& graph, PassContext& context) : graph_(graph), context_(context) {}

  void run() {
    for (const ir::NodeId id : graph_.topological_order()) {
      if (!graph_.node(id).alive) continue;
      const ir::Node node = graph_.node(id);  // a copy: emitting moves nodes
      ir::ValueId now = ir::kNoValue;
      if (node.is("DequantizeLinear") && !is_constant(node.input(0))) {
        now = twin(node.input(0), node.input(1), node.input(2));
      } else if (node.is("MatMulIntegerToFloat", kContrib)) {
        now = product(node, dequantized(node, 0, 2, 4), 1, 3, 5, 6);
      } else if (node.is("DynamicQuantizeMatMul", kContrib)) {
        now = product(node, node.input(0), 1, 2, 3, 4);
      } else if (node.is("QGemm", kContrib) && node.input(7) == ir::kNoValue) {
        now = gemm(node);
      } else {
        continue;
      }
      if (now == ir::kNoValue) {
        context_.near_miss("node '" + node.name + "'", "its operands are quantised in other steps");
        continue;
      }
      graph_.replace_uses(node.outputs[0], now);
      context_.fire();
    }
  }

 private:
  bool is_constant(ir::ValueId value) const {
    return value != ir::kNoValue && graph_.constant(value) != nullptr;
  }
  ir::ValueId emit(const ir::Node& from, std::string op, std::vector<ir::ValueId> inputs,
                   ir::Attributes attributes = {}) {
    while (!inputs.empty() && inputs.back() == ir::kNoValue) inputs.pop_back();
    return graph_.emit(std::move(op), std::move(inputs), std::move(attributes), "", from.name);
  }

  /// The same steps: the same values, or equal constants. A zero point that is left out is 0.
  bool same(ir::ValueId a, ir::ValueId b) const {
    if (a == b) return true;
    const Tensor* x = a == ir::kNoValue ? nullptr : graph_.constant(a);
    const Tensor* y = b == ir::kNoValue ? nullptr : graph_.constant(b);
    const auto zero = [](const Tensor& t) {
      return t.elements() == 1 && t.byte_size() == 1 && t.bytes()[0] == std::byte{0};
    };
    if (a == ir::kNoValue) return y != nullptr && zero(*y);
    if (b == ir::kNoValue) return x != nullptr && zero(*x);
    if (x == nullptr || y == nullptr || x->dtype() != y->dtype()) return false;
    if (x->elements() != y->elements() || (x->elements() != 1 && x->shape() != y->shape())) {
      return false;
    }
    return std::memcmp(x->bytes(), y->bytes(), x->byte_size()) == 0;
  }

  /// One number.
  bool scalar(ir::ValueId value) const {
    return is_constant(value) && graph_.constant(value)->elements() == 1;
  }

  /// DequantizeLinear of constants; fold_constants computes it. `axis`: along which scales differ.
  ir::ValueId constant_twin(ir::ValueId weight, ir::ValueId scale, ir::ValueId zero,
                            std::int64_t axis = 1) {
    if (!is_constant(scale) || (zero != ir::kNoValue && !is_constant(zero))) return ir::kNoValue;
    const Tensor by = *graph_.constant(scale);
    const auto shaped = [&](ir::ValueId id) {
      if (id == ir::kNoValue) return id;
      const Tensor& t = *graph_.constant(id);
      if (by.elements() == 1 && t.elements() == 1) {
        return t.rank() == 0
                   ? id
                   : graph_.add_constant(graph_.value(id).name + "/scalar", t.reshaped({}));
      }
      return t.elements() == by.elements() ? id : repeated(id, by.shape());
    };
    ir::Attributes attributes;
    attributes.set("axis", axis);
    std::vector<ir::ValueId> inputs{weight, shaped(scale)};
    if (zero != ir::kNoValue) inputs.push_back(shaped(zero));
    return graph_.emit("DequantizeLinear", std::move(inputs), std::move(attributes), "",
                       graph_.value(weight).name + "/float");
  }

  /// One zero point for many scales.
  ir::ValueId repeated(ir::ValueId id, const Shape& shape) {
    const Tensor one = *graph_.constant(id);
    if (one.elements() != 1 || one.byte_size() != 1) return id;
    Tensor out(one.dtype(), shape);
    std::memset(out.mutable_bytes(), static_cast<int>(one.bytes()[0]), out.byte_size());
    return graph_.add_constant(graph_.value(id).name + "/row", std::move(out));
  }

  /// What a value of these steps was before it was rounded; kNoValue where that is not known.
  ir::ValueId twin(ir::ValueId value, ir::ValueId scale, ir::ValueId zero) {
    if (is_constant(value)) return constant_twin(value, scale, zero);
    if (const auto found = twins_.find(value); found != twins_.end()) {
      const Twin& known = found->second;
      return same(known.scale, scale) && same(known.zero, zero) ? known.value : ir::kNoValue;
    }
    if (depth_ == kDeepest) return ir::kNoValue;
    ++depth_;
    const ir::ValueId made = make_twin(value, scale, zero);
    --depth_;
    if (made != ir::kNoValue) twins_[value] = {made, scale, zero};
    return made;
  }

  ir::ValueId make_twin(ir::ValueId value, ir::ValueId scale, ir::ValueId zero) {
    if (value == ir::kNoValue || graph_.producer(value) == nullptr) return ir::kNoValue;
    const ir::Node node = *graph_.producer(value);
    const auto steps = [&](std::size_t s, std::size_t z) {
      return scalar(node.input(s)) && same(node.input(s), scale) && same(node.input(z), zero);
    };
    if (node.is("DynamicQuantizeLinear")) {
      const bool own =
          value == node.outputs[0] && scale == node.outputs[1] && zero == node.outputs[2];
      return own ? node.input(0) : ir::kNoValue;
    }
    if (quantizes(node)) return steps(1, 2) ? cut(node, node.input(0), zero) : ir::kNoValue;
    if (moves(node)) return moved(node, value, scale, zero);
    if (node.is("QLinearMatMul")) {
      if (!steps(6, 7)) return ir::kNoValue;
      const ir::ValueId a = dequantized(node, 0, 1, 2), b = dequantized(node, 3, 4, 5);
      return cut(node, emit(node, "MatMul", {a, b}), zero);
    }
    if (node.domain != kContrib) return ir::kNoValue;
    if (node.op == "QGemm") return steps(7, 8) ? cut(node, gemm(node), zero) : ir::kNoValue;
    if (node.op == "QLinearAdd" || node.op == "QLinearMul") {
      if (!steps(6, 7)) return ir::kNoValue;
      const ir::ValueId a = dequantized(node, 0, 1, 2), b = dequantized(node, 3, 4, 5);
      return cut(node, emit(node, node.op == "QLinearAdd" ? "Add" : "Mul", {a, b}), zero);
    }
    if (node.op == "QLinearSigmoid" || node.op == "QLinearLeakyRelu") {
      if (!steps(3, 4)) return ir::kNoValue;
      const std::string op = node.op.substr(std::strlen("QLinear"));
      return cut(node, emit(node, op, {dequantized(node, 0, 1, 2)}, node.attributes), zero);
    }
    if (node.op == "QLinearSoftmax") {
      return steps(3, 4) ? softmax(node, dequantized(node, 0, 1, 2)) : ir::kNoValue;
    }
    if (node.op == "QLinearWhere") {
      if (!steps(7, 8)) return ir::kNoValue;
      const ir::ValueId x = dequantized(node, 1, 2, 3), y = dequantized(node, 4, 5, 6);
      return cut(node, emit(node, "Where", {node.input(0), x, y}), zero);
    }
    if (node.op == "QLinearConcat") {
      if (!steps(0, 1)) return ir::kNoValue;
      std::vector<ir::ValueId> parts;
      for (std::size_t i = 2; i + 2 < node.inputs.size(); i += 3) {
        parts.push_back(dequantized(node, i, i + 1, i + 2));
      }
      return cut(node, emit(node, "Concat", std::move(parts), node.attributes), zero);
    }
    return ir::kNoValue;
  }

  /// The twin of an input, else its DequantizeLinear.
  ir::ValueId dequantized(const ir::Node& node, std::size_t i, std::size_t s, std::size_t z) {
    const ir::ValueId found = twin(node.input(i), node.input(s), node.input(z));
    if (found != ir::kNoValue) return found;
    return emit(node, "DequantizeLinear", {node.input(i), node.input(s), node.input(z)});
  }

  static bool moves(const ir::Node& node) {
    static constexpr std::string_view kMoves[] = {"Reshape",   "Transpose", "Flatten", "Squeeze",
                                                  "Unsqueeze", "Gather",    "Slice",   "Split",
                                                  "Expand",    "Identity",  "Concat"};
    return node.domain.empty() &&
           std::find(std::begin(kMoves), std::end(kMoves), node.op) != std::end(kMoves);
  }

  /// The same movement of the twin; steps that differ along an axis do not move.
  ir::ValueId moved(const ir::Node& node, ir::ValueId value, ir::ValueId scale, ir::ValueId zero) {
    if (!scalar(scale) || (zero != ir::kNoValue && !scalar(zero))) return ir::kNoValue;
    ir::Node copy = node;
    for (std::size_t i = 0; i < (node.is("Concat") ? node.inputs.size() : 1); ++i) {
      copy.inputs[i] = twin(node.input(i), scale, zero);
      if (copy.inputs[i] == ir::kNoValue) return ir::kNoValue;
    }
    ir::ValueId out = ir::kNoValue;
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      copy.outputs[i] = graph_.add_value(graph_.value(node.outputs[i]).name + "/float");
      twins_[node.outputs[i]] = {copy.outputs[i], scale, zero};
      if (node.outputs[i] == value) out = copy.outputs[i];
    }
    graph_.add_node(std::move(copy));
    return out;
  }

  bool not_negative(ir::ValueId value, int steps) const {
    if (const Tensor* t = graph_.constant(value)) {
      if (t->elements() > 4096 || !dtype_is_float(t->dtype())) return false;
      const Tensor floats = t->to_float32();
      for (const float x : floats.data<float>()) {
        if (!(x >= 0)) return false;
      }
      return true;
    }
    const ir::Node* node = graph_.producer(value);
    if (node == nullptr || steps == 0) return false;
    for (const char* op : {"Softmax", "Relu", "Sigmoid", "Sqrt", "Exp", "Abs"}) {
      if (node->is(op)) return true;
    }
    const auto below = [&](std::size_t i) { return not_negative(node->input(i), steps - 1); };
    if (node->is("Pow")) return scalar_constant(graph_, node->input(1)) == 2.0;
    if (node->is("Mul")) return node->input(0) == node->input(1) || (below(0) && below(1));
    if (node->is("Div")) return below(0) && below(1);
    if (node->is("ReduceMean") || moves(*node) || node->is("Cast")) return below(0);
    if (!node->is("Add")) return false;
    for (const std::size_t i : {0u, 1u}) {  // 1 + erf(x)
      const ir::Node* from = graph_.producer(node->input(i));
      const auto number = scalar_constant(graph_, node->input(1 - i));
      const bool bounded = from != nullptr && (from->is("Erf") || from->is("Tanh"));
      if (bounded && number && *number >= 1) return true;
    }
    return below(0) && below(1);
  }

  /// The type of the 8-bit or 16-bit output of a node with this zero point.
  DType stored_type(const ir::Node& node, ir::ValueId zero) const {
    if (zero != ir::kNoValue && is_constant(zero)) return graph_.constant(zero)->dtype();
    const auto said = dtype_from_onnx(node.attributes.int_or("output_dtype", 0));
    return said.value_or(DType::kUint8);
  }

  static std::optional<std::int64_t> lowest_of(DType type) {
    switch (type) {
      case DType::kUint8:
      case DType::kUint16: return 0;
      case DType::kInt8: return std::numeric_limits<std::int8_t>::lowest();
      case DType::kInt16: return std::numeric_limits<std::int16_t>::lowest();
      default: return std::nullopt;
    }
  }

  /// x as steps that may begin at zero leave it.
  ir::ValueId cut(const ir::Node& node, ir::ValueId x, ir::ValueId zero) {
    const Tensor* at = zero == ir::kNoValue ? nullptr : graph_.constant(zero);
    const auto first = lowest_of(stored_type(node, zero));
    const bool lowest =
        first &&
        (at == nullptr ? *first == 0 : at->elements() == 1 && at->to_int64s()[0] == *first);
    if (!lowest || not_negative(x, kMostSteps)) return x;
    return emit(node, "Relu", {x});
  }

  ir::ValueId product(const ir::Node& node, ir::ValueId x, std::size_t weight, std::size_t scale,
                      std::size_t zero, std::size_t bias) {
    const ir::ValueId w = twin(node.input(weight), node.input(scale), node.input(zero));
    if (w == ir::kNoValue) return ir::kNoValue;
    const ir::ValueId y = emit(node, "MatMul", {x, w});
    return node.input(bias) == ir::kNoValue ? y : emit(node, "Add", {y, node.input(bias)});
  }

  /// Scales and the bias go with the columns of the product: the rows of a transposed weight. The
  /// bias is in steps of both scales.
  ir::ValueId gemm(const ir::Node& node) {
    const Tensor* weight = is_constant(node.input(3)) ? graph_.constant(node.input(3)) : nullptr;
    if (weight == nullptr || weight->rank() != 2 || node.attributes.int_or("transA", 0) != 0 ||
        !scalar(node.input(1))) {
      return ir::kNoValue;
    }
    const ir::ValueId x = dequantized(node, 0, 1, 2);
    const bool transposed = node.attributes.int_or("transB", 0) != 0;
    const ir::ValueId w =
        constant_twin(node.input(3), node.input(4), node.input(5), transposed ? 0 : 1);
    if (w == ir::kNoValue) return ir::kNoValue;
    ir::Attributes attributes;
    attributes.set("transB", std::int64_t{transposed});
    attributes.set("alpha", node.attributes.float_or("alpha", 1.0f));
    attributes.set("beta", node.attributes.float_or("alpha", 1.0f));
    std::vector<ir::ValueId> inputs{x, w};
    if (node.input(6) != ir::kNoValue) {
      const ir::ValueId by = emit(node, "Mul", {node.input(1), node.input(4)});
      ir::Attributes to;
      to.set("to", std::int64_t{1});
      inputs.push_back(emit(node, "Mul", {emit(node, "Cast", {node.input(6)}, to), by}));
    }
    return emit(node, "Gemm", std::move(inputs), std::move(attributes));
  }

  /// Before opset 13, everything from `axis` on was one axis; restore_softmax knows the form.
  ir::ValueId softmax(const ir::Node& node, ir::ValueId x) {
    const bool flat = node.attributes.int_or("opset", 13) < 13;
    const std::int64_t axis = node.attributes.int_or("axis", flat ? 1 : -1);
    ir::Attributes attributes;
    attributes.set("axis", flat ? std::int64_t{-1} : axis);
    if (!flat || axis == -1) return emit(node, "Softmax", {x}, attributes);
    ir::Attributes from;
    from.set("axis", axis);
    const ir::ValueId y = emit(node, "Softmax", {emit(node, "Flatten", {x}, from)}, attributes);
    return emit(node, "Reshape", {y, emit(node, "Shape", {x})});
  }

  struct Twin {
    ir::ValueId value, scale, zero;
  };
  ir::Graph& graph_;
  PassContext& context_;
  std::map<ir::ValueId, Twin> twins_;
  int depth_ = 0;
};

}  // namespace

void widen_quantized(ir::Graph& graph, PassContext& context) { Widener(graph, context).run(); }

}  // namespace octavo::passes
