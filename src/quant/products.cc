#include "quant/products.h"

namespace octavo::quant {
namespace {

ir::Attributes cast_to(DType dtype) {
  ir::Attributes out;
  out.set("to", static_cast<std::int64_t>(dtype));
  return out;
}

/// MatMulInteger as floats without its scales.
ir::ValueId integer_product(Rewriter& r, const ir::Node& node, const QuantizedValue& a,
                            const QuantizedValue& w) {
  std::vector<ir::ValueId> inputs{a.values, w.values};
  if (a.zero != ir::kNoValue) inputs.insert(inputs.end(), {a.zero, w.zero});
  const std::string out = r.name(node.outputs[0]) + "_output_quantized";
  const ir::ValueId sums = r.emit("MatMulInteger", std::move(inputs), node.name + "_quant", out);
  return r.emit("Cast", {sums}, out + "_cast", out + "_cast_output", cast_to(DType::kFloat32));
}

std::int64_t columns_of(Rewriter& r, const ir::Node& node) {
  return r.graph().constant(node.input(1))->dim(1);
}

}  // namespace

void dynamic_operator(Rewriter& r, Activations& activations, const ir::Node& node, bool microsoft,
                      bool shared_input) {
  const ir::ValueId x = node.input(0), out = node.outputs[0];
  const std::int64_t columns = columns_of(r, node);
  const QuantizedValue w = r.product_weight(node.input(1));
  if (!microsoft) {
    const QuantizedValue a = activations.dynamic(x);
    const ir::ValueId sums = integer_product(r, node, a, w);
    const std::string scales = node.name + "_quant_scales_mul";
    const ir::ValueId scale = r.emit("Mul", {a.scale, w.scale}, scales, scales + ":0");
    r.replace(out, r.emit("Mul", {sums, scale}, node.name + "_quant_output_scale_mul", ""));
    r.done(node, "MatMulInteger");
    return;
  }
  const auto bias = following_bias(r.graph(), out, columns);
  const ir::ValueId result = bias ? bias->output : out;
  const bool whole = !shared_input && r.options().activation_type == QuantizedType::kUInt8;
  std::vector<ir::ValueId> inputs;
  if (whole) {
    inputs = {x, w.values, w.scale, w.zero};
  } else {
    const QuantizedValue a = activations.dynamic(x);
    inputs = {a.values, w.values, a.scale, w.scale, a.zero, w.zero};
  }
  if (bias) inputs.push_back(bias->bias);
  const std::string op = whole ? "DynamicQuantizeMatMul" : "MatMulIntegerToFloat";
  r.replace(result, r.emit(op, std::move(inputs), node.name + "_quant", "", {}, "com.microsoft"));
  r.done(node, op);
}

void dynamic_qdq(Rewriter& r, Activations& activations, const ir::Node& node) {
  const ir::ValueId x = node.input(0), out = node.outputs[0];
  const QuantizedValue a = activations.dynamic(x);
  const std::string base = r.name(x);
  const ir::ValueId rounded = r.emit("DequantizeLinear", {a.values, a.scale, a.zero},
                                     node.name + "_DequantizeLinear", base + "_dequantized");
  const ir::ValueId w = r.dequantized_weight(node.input(1));
  r.replace(out, r.emit("MatMul", {rounded, w}, node.name, ""));
  r.done(node, "DynamicQuantizeLinear, DequantizeLinear, MatMul");
}

void static_operator(Rewriter& r, Activations& activations, const ir::Node& node) {
  const ir::ValueId out = node.outputs[0];
  const QuantizedValue a = activations.fixed(node.input(0));
  const QuantizedValue w = r.product_weight(node.input(1)), y = activations.calibrated(out);
  const std::string base = r.name(out);
  const ir::ValueId product = r.emit(
      "QLinearMatMul", {a.values, a.scale, a.zero, w.values, w.scale, w.zero, y.scale, y.zero},
      node.name + "_quant", base + "_quantized");
  r.replace(out,
            r.emit("DequantizeLinear", {product, y.scale, y.zero}, base + "_DequantizeLinear", ""));
  r.done(node, "QLinearMatMul");
}

void static_qdq(Rewriter& r, Activations& activations, const ir::Node& node) {
  const ir::ValueId out = node.outputs[0];
  const ir::ValueId x = activations.rounded(node.input(0));
  const ir::ValueId w = r.dequantized_weight(node.input(1));
  const std::string base = r.name(out);
  const QuantizedValue y =
      r.options().quantize_outputs ? activations.calibrated(out) : QuantizedValue{};
  ir::ValueId result = r.emit("MatMul", {x, w}, node.name, base + "_product");
  if (r.options().quantize_outputs) {
    const ir::ValueId q = r.emit("QuantizeLinear", {result, y.scale, y.zero},
                                 base + "_QuantizeLinear", base + "_quantized");
    result = r.emit("DequantizeLinear", {q, y.scale, y.zero}, base + "_DequantizeLinear", "");
  }
  r.replace(out, result);
  r.done(node, "QuantizeLinear, DequantizeLinear, MatMul");
}

void row_product(Rewriter& r, Activations& activations, const ir::Node& node) {
  const ir::ValueId out = node.outputs[0];
  const QuantizedValue a = activations.rows(node.input(0));
  const QuantizedValue w =
      r.weight(node.input(1), {QuantizedType::kInt8, true, false}, std::size_t{1});
  const ir::ValueId sums = integer_product(r, node, a, w);
  const ir::ValueId rows =
      r.emit("Mul", {sums, a.scale}, node.name + "_row_scale_mul", node.name + "_rows");
  r.replace(out, r.emit("Mul", {rows, w.scale}, node.name + "_column_scale_mul", ""));
  r.done(node, "MatMulInteger with a scale a row");
}

}  // namespace octavo::quant
