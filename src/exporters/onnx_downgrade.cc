#include "exporters/onnx_downgrade.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include "base/half.h"
#include "exporters/onnx_attributes.h"
#include "octavo/error.h"

namespace octavo::exporters {
namespace {

using formats::OnnxAttribute;
using formats::OnnxAttributeType;
using formats::OnnxNode;

class Downgrader {
 public:
  Downgrader(OnnxNode node, std::int64_t opset, const OnnxValues& values)
      : node_(std::move(node)), opset_(opset), values_(values) {}

  DowngradedNode run() {
    if (!write_out()) {
      adapt();
      out_.nodes.push_back(std::move(node_));
    }
    return std::move(out_);
  }

 private:
  [[noreturn]] void refuse(std::string message, std::int64_t needed, std::string found = {}) const {
    throw Error(ErrorCode::kUnsupported,
                {.message = std::move(message),
                 .place = "node '" + node_.name + "' (" + node_.op_type + ")",
                 .expected = "opset " + std::to_string(needed) + " or later",
                 .found = found.empty() ? "opset " + std::to_string(opset_) : std::move(found),
                 .fix = needed <= 21 ? "ask for --opset " + std::to_string(needed)
                                     : "the operator has no form that can be written"});
  }

  std::optional<DType> type_of(std::size_t i) const {
    return input(node_, i).empty() ? std::nullopt : values_.dtype(input(node_, i));
  }
  const Tensor* constant_of(std::size_t i) const {
    return input(node_, i).empty() ? nullptr : values_.constant(input(node_, i));
  }
  /// The type of input 0, which constants beside it must have; float32 where nothing says.
  DType main_type() const { return type_of(0).value_or(DType::kFloat32); }

  std::string emit(std::string op, std::vector<std::string> inputs, std::string output = {}) {
    OnnxNode made;
    made.name = node_.name + "/" + op;
    if (output.empty()) output = values_.fresh(node_.name + "/" + op);
    made.op_type = std::move(op);
    made.inputs = std::move(inputs);
    made.outputs = {output};
    out_.nodes.push_back(std::move(made));
    return output;
  }
  OnnxNode& last() { return out_.nodes.back(); }

  std::string initializer(Tensor tensor) {
    std::string name = values_.fresh(node_.name + "/constant");
    out_.initializers.push_back({name, std::move(tensor)});
    return name;
  }
  /// A constant of rank 0 of the type that is computed in.
  std::string number(float value) {
    switch (compute_in_.value_or(main_type())) {
      case DType::kFloat64: return initializer(Tensor::scalar<double>(value));
      case DType::kFloat16: {
        Tensor out(DType::kFloat16, {});
        out.mutable_data<std::uint16_t>()[0] = float_to_half(value);
        return initializer(std::move(out));
      }
      case DType::kBFloat16: {
        Tensor out(DType::kBFloat16, {});
        out.mutable_data<std::uint16_t>()[0] = float_to_bf16(value);
        return initializer(std::move(out));
      }
      default: return initializer(Tensor::scalar<float>(value));
    }
  }

  std::vector<std::int64_t> constant_ints(std::size_t i, std::int64_t needed) const {
    const Tensor* tensor = constant_of(i);
    if (tensor == nullptr) {
      refuse("an input that was an attribute in this opset is computed", needed,
             "value '" + input(node_, i) + "'");
    }
    return tensor->to_int64s();
  }

  void input_to_attribute(std::size_t i, std::string name, std::int64_t needed) {
    if (input(node_, i).empty()) return;
    std::vector<std::int64_t> values = constant_ints(i, needed);
    cut_input(node_, i);
    set_ints(node_, std::move(name), std::move(values));
  }

  /// An attribute that an older opset does not have and that may only have its default.
  void drop_default(std::string_view name, std::int64_t fallback, std::int64_t needed) {
    if (int_or(node_, name, fallback) != fallback) {
      refuse("attribute '" + std::string(name) + "' is new in a later opset", needed);
    }
    drop(node_, name);
  }

  // The reduction over `axes` of x, keeping them, in the form of the opset.
  std::string reduce(std::string op, const std::string& x, const std::vector<std::int64_t>& axes) {
    if (opset_ >= (op == "ReduceSum" ? 13 : 18)) {
      return emit(std::move(op), {x, initializer(Tensor::vector<std::int64_t>(axes))});
    }
    const std::string out = emit(std::move(op), {x});
    set_ints(last(), "axes", axes);
    return out;
  }

  /// The axes from a negative one to the last.
  std::vector<std::int64_t> trailing_axes(std::int64_t axis, std::int64_t needed) const {
    if (axis >= 0) {
      const Tensor* scale = constant_of(1);
      if (scale == nullptr || scale->rank() == 0)
        refuse("an axis counts from the front of a value of unknown rank", needed);
      axis = -static_cast<std::int64_t>(scale->rank());
    }
    std::vector<std::int64_t> out;
    for (std::int64_t a = axis; a < 0; ++a) out.push_back(a);
    return out;
  }

  // Writes the node with other operators where the opset lacks it; false where it has it.
  bool write_out() {
    const std::string op = node_.op_type;
    const std::string x = input(node_, 0), y = node_.outputs.empty() ? "" : node_.outputs[0];
    if (op == "LayerNormalization" && opset_ < 17) return layer_norm(x, y), true;
    if (op == "RMSNormalization") return rms_norm(x, y), true;
    if (op == "Gelu" && opset_ < 20) return gelu(x, y), true;
    if (is_any(op, {"Softmax", "LogSoftmax"}) && opset_ < 13 && int_or(node_, "axis", -1) != -1) {
      return softmax(x, y), true;
    }
    if (op == "Swish") {
      std::string scaled = x;
      const float alpha = float_or(node_, "alpha", 1.0f);
      if (alpha != 1.0f) scaled = emit("Mul", {x, number(alpha)});
      emit("Mul", {x, emit("Sigmoid", {scaled})}, y);
      return true;
    }
    if (op == "Mish" && opset_ < 18) {
      emit("Mul", {x, emit("Tanh", {emit("Softplus", {x})})}, y);
      return true;
    }
    if (op == "HardSwish" && opset_ < 14) {
      const std::string gate = emit("HardSigmoid", {x});
      set_float(last(), "alpha", 1.0f / 6.0f);
      set_float(last(), "beta", 0.5f);
      emit("Mul", {x, gate}, y);
      return true;
    }
    if (is_any(op, {"LessOrEqual", "GreaterOrEqual"}) && opset_ < 12) {
      const std::string opposite = op == "LessOrEqual" ? "Greater" : "Less";
      emit("Not", {emit(opposite, {x, input(node_, 1)})}, y);
      return true;
    }
    if (is_any(op, {"Min", "Max"}) && opset_ < 12 && type_of(0) && !dtype_is_float(*type_of(0))) {
      std::string best = x;
      for (std::size_t i = 1; i < node_.inputs.size(); ++i) {
        const std::string& next = node_.inputs[i];
        const std::string keep = emit(op == "Min" ? "Less" : "Greater", {best, next});
        best = emit("Where", {keep, best, next}, i + 1 == node_.inputs.size() ? y : "");
      }
      if (node_.inputs.size() == 1) emit("Identity", {x}, y);
      return true;
    }
    if (op == "CastLike" && opset_ < 15) {
      const auto to = type_of(1);
      if (!to) refuse("the type that a CastLike casts to is unknown", 15);
      emit("Cast", {x}, y);
      set_int(last(), "to", static_cast<std::int64_t>(*to));
      return true;
    }
    if (op == "Shape" && opset_ < 15 && (find(node_, "start") || find(node_, "end"))) {
      const std::int64_t start = int_or(node_, "start", 0);
      const std::int64_t end = int_or(node_, "end", std::int64_t{1} << 31);
      const auto one = [&](std::int64_t value) {
        return initializer(Tensor::vector<std::int64_t>(std::span(&value, 1)));
      };
      const std::string whole = emit("Shape", {x});
      emit("Slice", {whole, one(start), one(end)}, y);
      return true;
    }
    if (is_reduction() && opset_ < axes_since() && reduces_nothing()) {
      // What a reduction over one element does to it.
      if (is_any(op, {"ReduceLogSum", "ReduceLogSumExp", "ReduceSumSquare"}))
        refuse("a reduction over no axis", axes_since());
      emit(is_any(op, {"ReduceL1", "ReduceL2"}) ? "Abs" : "Identity", {x}, y);
      return true;
    }
    return false;
  }

  void require_one_output(std::int64_t needed) const {
    for (std::size_t i = 1; i < node_.outputs.size(); ++i) {
      if (!node_.outputs[i].empty())
        refuse("a second output is read of an operator that must be written out", needed);
    }
  }

  std::string cast(const std::string& x, DType to) {
    const std::string out = emit("Cast", {x});
    set_int(last(), "to", static_cast<std::int64_t>(to));
    return out;
  }
  /// Norms compute in float32 whatever their type (stash_type).
  std::string widened(const std::string& x) {
    if (dtype_size(main_type()) != 2) return x;
    compute_in_ = DType::kFloat32;
    return cast(x, DType::kFloat32);
  }
  std::string narrowed(const std::string& x) { return compute_in_ ? cast(x, main_type()) : x; }

  // y = (x - mean) / sqrt(mean((x - mean)^2) + epsilon) * scale + bias
  void layer_norm(const std::string& x, const std::string& y) {
    require_one_output(17);
    const std::vector<std::int64_t> axes = trailing_axes(int_or(node_, "axis", -1), 17);
    const std::string bias = input(node_, 2);
    const std::string wide = widened(x);
    const std::string centered = emit("Sub", {wide, reduce("ReduceMean", wide, axes)});
    const std::string squares = emit("Pow", {centered, number(2)});
    const std::string variance = reduce("ReduceMean", squares, axes);
    const std::string shifted = emit("Add", {variance, number(float_or(node_, "epsilon", 1e-5f))});
    const std::string normed = narrowed(emit("Div", {centered, emit("Sqrt", {shifted})}));
    const std::string scaled =
        emit("Mul", {normed, input(node_, 1)}, bias.empty() ? y : std::string());
    if (!bias.empty()) emit("Add", {scaled, bias}, y);
  }

  // y = x / sqrt(mean(x^2) + epsilon) * scale; the operator is newer than every opset written here
  void rms_norm(const std::string& x, const std::string& y) {
    const std::vector<std::int64_t> axes = trailing_axes(int_or(node_, "axis", -1), 23);
    const std::string wide = widened(x);
    const std::string mean = reduce("ReduceMean", emit("Pow", {wide, number(2)}), axes);
    const std::string shifted = emit("Add", {mean, number(float_or(node_, "epsilon", 1e-5f))});
    const std::string normed = narrowed(emit("Div", {wide, emit("Sqrt", {shifted})}));
    emit("Mul", {normed, input(node_, 1)}, y);
  }

  void gelu(const std::string& x, const std::string& y) {
    const OnnxAttribute* form = find(node_, "approximate");
    if (form != nullptr && form->s == "tanh") {
      // 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))
      const std::string cube = emit("Mul", {emit("Pow", {x, number(3)}), number(0.044715f)});
      const std::string inner = emit("Mul", {emit("Add", {x, cube}), number(0.7978845608028654f)});
      const std::string gate = emit("Add", {emit("Tanh", {inner}), number(1)});
      emit("Mul", {emit("Mul", {x, number(0.5f)}), gate}, y);
      return;
    }
    // 0.5 x (1 + erf(x / sqrt(2)))
    const std::string scaled = emit("Div", {x, number(1.4142135381698608f)});
    const std::string gate = emit("Add", {emit("Erf", {scaled}), number(1)});
    emit("Mul", {emit("Mul", {x, gate}), number(0.5f)}, y);
  }

  // The old operator took everything from the axis on as one axis.
  void softmax(const std::string& x, const std::string& y) {
    const std::vector<std::int64_t> axes{int_or(node_, "axis", -1)};
    const std::string centered = emit("Sub", {x, reduce("ReduceMax", x, axes)});
    const std::string powers = emit("Exp", {centered});
    const std::string sum = reduce("ReduceSum", powers, axes);
    if (node_.op_type == "Softmax") {
      emit("Div", {powers, sum}, y);
    } else {
      emit("Sub", {centered, emit("Log", {sum})}, y);
    }
  }

  bool is_reduction() const {
    return is_any(node_.op_type,
                  {"ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax",
                   "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare"});
  }
  std::int64_t axes_since() const { return node_.op_type == "ReduceSum" ? 13 : 18; }

  bool reduces_nothing() const {
    const Tensor* axes = constant_of(1);
    return int_or(node_, "noop_with_empty_axes", 0) != 0 &&
           (input(node_, 1).empty() || (axes != nullptr && axes->elements() == 0));
  }

  // Inputs and attributes as the opset has them.
  void adapt() {
    const std::string& op = node_.op_type;
    require_version();
    require_types();
    if (is_reduction() && opset_ < axes_since()) {
      drop(node_, "noop_with_empty_axes");
      const Tensor* axes = constant_of(1);
      if (axes != nullptr && axes->elements() == 0) cut_input(node_, 1);
      input_to_attribute(1, "axes", axes_since());
    }
    if (is_any(op, {"Squeeze", "Unsqueeze"}) && opset_ < 13) input_to_attribute(1, "axes", 13);
    if (op == "Split") {
      if (opset_ < 13) input_to_attribute(1, "split", 13);
      drop(node_, "num_outputs");
      if (opset_ >= 18 && input(node_, 1).empty())
        set_int(node_, "num_outputs", static_cast<std::int64_t>(node_.outputs.size()));
    }
    if (op == "Hardmax" && opset_ < 13 && int_or(node_, "axis", -1) != -1)
      refuse("Hardmax over an axis that is not the last", 13);
    if (is_any(op, {"Softmax", "LogSoftmax", "Hardmax"}) && opset_ < 13) set_int(node_, "axis", -1);
    if (op == "Pad" && opset_ < 18 && !input(node_, 3).empty())
      refuse("Pad with a list of axes", 18);
    if (op == "Pad" && opset_ < 19) {
      const OnnxAttribute* mode = find(node_, "mode");
      if (mode != nullptr && mode->s == "wrap") refuse("Pad that wraps around", 19);
    }
    if (op == "Reshape" && opset_ < 14) reshape();
    if (op == "Dropout" && opset_ < 12) dropout();
    if (op == "Cast" && opset_ < 19) drop(node_, "saturate");
    if (op == "CastLike" && opset_ < 19) drop(node_, "saturate");
    if (is_any(op, {"ArgMax", "ArgMin"}) && opset_ < 12) drop_default("select_last_index", 0, 12);
    if (op == "GatherND" && opset_ < 12) drop_default("batch_dims", 0, 12);
    if (is_any(op, {"ScatterElements", "ScatterND"}) && opset_ < 18) scatter();
    if (op == "QuantizeLinear" || op == "DequantizeLinear") quantization();
    if (op == "GroupNormalization" && opset_ < 21)
      refuse("GroupNormalization has its scale a channel only since a later opset", 21);
  }

  // Operators that are newer than the opset and have no other form.
  void require_version() const {
    struct Since {
      std::string_view op;
      std::int64_t opset;
    };
    static constexpr Since kSince[] = {{"BitwiseAnd", 18}, {"BitwiseNot", 18}, {"BitwiseOr", 18},
                                       {"BitwiseXor", 18}, {"Celu", 12},       {"Einsum", 12},
                                       {"Trilu", 14}};
    for (const Since& since : kSince) {
      if (node_.op_type == since.op && opset_ < since.opset)
        refuse("the opset does not have this operator", since.opset);
    }
  }

  void require_types() const {
    const auto type = type_of(0);
    if (!type) return;
    const bool integer = !dtype_is_float(*type);
    if (*type == DType::kBFloat16 && opset_ < 13)
      refuse("bfloat16 is not in this opset's operators", 13);
    if (is_any(node_.op_type, {"Clip", "Min", "Max"}) && integer && opset_ < 12)
      refuse("the operator takes integers only since a later opset", 12);
    if (node_.op_type == "CumSum" && opset_ < 14 &&
        (*type == DType::kFloat16 || *type == DType::kBFloat16))
      refuse("CumSum takes half floats only since a later opset", 14);
    const bool narrow = dtype_size(*type) < 4 && integer && *type != DType::kBool;
    if (is_any(node_.op_type, {"Add", "Sub", "Mul", "Div"}) && narrow && opset_ < 14)
      refuse("the operator takes integers of 8 and 16 bits only since a later opset", 14);
  }

  // A computed shape holds a 0 only where a tensor is empty, and is let pass.
  void reshape() {
    if (int_or(node_, "allowzero", 0) != 0) {
      const Tensor* shape = constant_of(1);
      bool zero = false;
      if (shape != nullptr) {
        for (const std::int64_t dim : shape->to_int64s()) zero |= dim == 0;
      }
      if (zero) refuse("Reshape to a dimension of 0", 14);
    }
    drop(node_, "allowzero");
  }

  // Models are written for inference, where Dropout passes its input on.
  void dropout() {
    const Tensor* training = constant_of(2);
    if (!input(node_, 2).empty() && (training == nullptr || training->to_int64s()[0] != 0))
      refuse("Dropout that may be in training mode", 12);
    const Tensor* ratio = constant_of(1);
    if (ratio != nullptr) set_float(node_, "ratio", ratio->to_float32().data<float>()[0]);
    drop(node_, "seed");
    node_.inputs.resize(1);
  }

  void scatter() {
    const OnnxAttribute* reduction = find(node_, "reduction");
    if (reduction == nullptr) return;
    const bool late = is_any(reduction->s, {"min", "max"});
    if (late || (opset_ < 16 && reduction->s != "none"))
      refuse("a scatter that reduces", late ? 18 : 16);
    if (opset_ < 16) drop(node_, "reduction");
  }

  void quantization() {
    const bool quantize = node_.op_type == "QuantizeLinear";
    const auto stored = quantize ? type_of(2) : type_of(0);
    if (stored && opset_ < 21 && (*stored == DType::kInt16 || *stored == DType::kUint16))
      refuse("quantization to 16 bits", 21);
    const auto real = type_of(quantize ? 0 : 1);
    if (real && opset_ < 19 && *real == DType::kFloat16) refuse("quantization of half floats", 19);
    if (opset_ < 21) {
      drop_default("block_size", 0, 21);
      if (quantize) output_dtype();
    }
    if (opset_ < 19) drop(node_, "saturate");
    if (opset_ < 13) {
      const Tensor* scale = constant_of(1);
      const bool one = scale != nullptr && scale->elements() == 1;
      if (!one && find(node_, "axis") != nullptr && (scale == nullptr || scale->rank() != 0))
        refuse("quantization per channel", 13);
      if (scale != nullptr && scale->elements() > 1) refuse("quantization per channel", 13);
      drop(node_, "axis");
    }
  }

  // The type of the result was that of the zero point alone.
  void output_dtype() {
    const std::int64_t type = int_or(node_, "output_dtype", 0);
    drop(node_, "output_dtype");
    if (type == 0 || !input(node_, 2).empty()) return;
    if (type == static_cast<std::int64_t>(DType::kUint8)) return;
    const Tensor* scale = constant_of(1);
    const auto dtype = dtype_from_onnx(type);
    if (scale == nullptr || dtype != DType::kInt8)
      refuse("a type of the result without a zero point", 21);
    Tensor zero(*dtype, scale->shape());
    std::ranges::fill(zero.mutable_data<std::int8_t>(), std::int8_t{0});
    node_.inputs.resize(3);
    node_.inputs[2] = initializer(std::move(zero));
  }

  OnnxNode node_;
  std::int64_t opset_;
  const OnnxValues& values_;
  std::optional<DType> compute_in_;  // where that is not the type of input 0
  DowngradedNode out_;
};

}  // namespace

DowngradedNode downgrade_node(OnnxNode node, std::int64_t opset, const OnnxValues& values) {
  return Downgrader(std::move(node), opset, values).run();
}

}  // namespace octavo::exporters
