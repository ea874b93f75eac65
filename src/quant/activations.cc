#include "quant/activations.h"

#include "octavo/error.h"

namespace octavo::quant {
namespace {

constexpr float kSmallestScale = 1e-30f;  // of rows of zeros, whose scale divides

}  // namespace

ir::ValueId Activations::magnitude_scale(ir::ValueId x, bool by_row) {
  Rewriter& r = rewriter_;
  const std::string base = r.name(x);
  const ir::ValueId magnitude = r.emit("Abs", {x}, base + "_Abs", base + "_abs");
  ir::Attributes attributes;
  attributes.set("keepdims", std::int64_t{by_row ? 1 : 0});
  std::vector<ir::ValueId> inputs{magnitude};
  if (by_row) inputs.push_back(r.integers(base + "_last_axis", {-1}));
  const ir::ValueId largest = r.emit("ReduceMax", std::move(inputs), base + "_ReduceMax",
                                     base + "_largest", std::move(attributes));
  const ir::ValueId raw = r.emit("Div", {largest, r.scalar(base + "_steps", 127.0f)},
                                 base + "_scale_Div", base + "_raw_scale");
  return r.emit("Max", {raw, r.scalar(base + "_smallest", kSmallestScale)}, base + "_scale_Max",
                base + "_scale");
}

QuantizedValue Activations::dynamic(ir::ValueId x) {
  QuantizedValue& known = dynamic_[x];
  if (known.values != ir::kNoValue) return known;
  Rewriter& r = rewriter_;
  const std::string base = r.name(x);
  if (r.options().activation_type == QuantizedType::kUInt8) {
    ir::Graph& graph = r.graph();
    known.values = graph.add_value(base + "_quantized");
    known.scale = graph.add_value(base + "_scale");
    known.zero = graph.add_value(base + "_zero_point");
    graph.add_node({.op = "DynamicQuantizeLinear",
                    .domain = "",
                    .name = base + "_QuantizeLinear",
                    .inputs = {x},
                    .outputs = {known.values, known.scale, known.zero}});
    return known;
  }
  known.scale = magnitude_scale(x, false);
  known.zero =
      r.graph().add_constant(base + "_zero_point", Tensor::scalar<std::int8_t>(std::int8_t{0}));
  known.values = r.emit("QuantizeLinear", {x, known.scale, known.zero}, base + "_QuantizeLinear",
                        base + "_quantized");
  return known;
}

QuantizedValue Activations::rows(ir::ValueId x) {
  QuantizedValue& known = rows_[x];
  if (known.values != ir::kNoValue) return known;
  Rewriter& r = rewriter_;
  const std::string base = r.name(x);
  known.scale = magnitude_scale(x, true);
  const ir::ValueId steps = r.emit("Div", {x, known.scale}, base + "_rows_Div", base + "_steps");
  const ir::ValueId whole = r.emit("Round", {steps}, base + "_rows_Round", base + "_rounded");
  ir::Attributes to;
  to.set("to", static_cast<std::int64_t>(DType::kInt8));
  known.values = r.emit("Cast", {whole}, base + "_rows_Cast", base + "_quantized", std::move(to));
  return known;
}

QuantizedValue Activations::calibrated(ir::ValueId x) {
  QuantizedValue& known = calibrated_[x];
  if (known.scale != ir::kNoValue) return known;
  Rewriter& r = rewriter_;
  const std::string base = r.name(x);
  const auto range = ranges_.find(base);
  if (range == ranges_.end()) {
    throw Error(ErrorCode::kInvalidArgument,
                {.message = "calibration has no range of a value that is to be quantised",
                 .place = "value '" + base + "'",
                 .expected = "a range of every value that quantizable() names",
                 .fix = "calibrate with the same options and exclusions"});
  }
  const QuantizedType type = r.options().activation_type;
  const Scale scale = choose_scale(range->second.min, range->second.max,
                                   {type, r.options().activation_symmetric, false});
  known.scale = r.scalar(base + "_scale", scale.scale);
  known.zero = r.graph().add_constant(base + "_zero_point",
                                      type == QuantizedType::kInt8
                                          ? Tensor::scalar(static_cast<std::int8_t>(scale.zero))
                                          : Tensor::scalar(static_cast<std::uint8_t>(scale.zero)));
  return known;
}

QuantizedValue Activations::fixed(ir::ValueId x) {
  QuantizedValue& known = fixed_[x];
  if (known.values != ir::kNoValue) return known;
  known = calibrated(x);
  const std::string base = rewriter_.name(x);
  known.values = rewriter_.emit("QuantizeLinear", {x, known.scale, known.zero},
                                base + "_QuantizeLinear", base + "_quantized");
  return known;
}

ir::ValueId Activations::rounded(ir::ValueId x) {
  const auto at = rounded_.find(x);
  if (at != rounded_.end()) return at->second;
  const QuantizedValue q = fixed(x);
  const std::string base = rewriter_.name(x);
  const ir::ValueId out = rewriter_.emit("DequantizeLinear", {q.values, q.scale, q.zero},
                                         base + "_DequantizeLinear", base + "_dequantized");
  return rounded_[x] = out;
}

}  // namespace octavo::quant
