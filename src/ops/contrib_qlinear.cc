// com.microsoft: 8-bit operators of static quantisation, QLinearAdd, QLinearMul, QLinearSigmoid,
// QLinearLeakyRelu, QLinearSoftmax, QLinearConcat, QLinearWhere: values in float32, the operator,
// and back to steps.
#include "ops/contrib.h"

namespace octavo::ops::reference {
namespace {

/// Input `i`, with its scale and zero point after it.
Tensor operand(const OpCall& call, std::size_t i) {
  const Tensor& scale = call.input(i + 1);
  const Tensor* zero = call.optional(i + 2);
  if (scale.elements() != 1 || (zero != nullptr && zero->elements() != 1)) {
    call.fail("a scale or zero point must be one number", "1 element",
              shape_to_string(scale.shape()));
  }
  return dequantized(call, call.input(i), scale, zero, 0);
}

std::vector<Tensor> binary(const OpCall& call, std::string_view op) {
  const Tensor a = operand(call, 0), b = operand(call, 3);
  return {quantized(call, call_op(call, op, {&a, &b}), call.input(6), call.optional(7))};
}

}  // namespace

std::vector<Tensor> qlinear_add(const OpCall& call) { return binary(call, "Add"); }
std::vector<Tensor> qlinear_mul(const OpCall& call) { return binary(call, "Mul"); }

std::vector<Tensor> qlinear_sigmoid(const OpCall& call) {
  const Tensor x = operand(call, 0);
  return {quantized(call, call_op(call, "Sigmoid", {&x}), call.input(3), call.optional(4))};
}

std::vector<Tensor> qlinear_leaky_relu(const OpCall& call) {
  const Tensor x = operand(call, 0);
  return {quantized(
      call,
      call_op(call, "LeakyRelu", {&x}, {{"alpha", call.attributes().float_or("alpha", 0.01f)}}),
      call.input(3), call.optional(4))};
}

/// Before opset 13, everything from `axis` on is one axis.
std::vector<Tensor> qlinear_softmax(const OpCall& call) {
  const Tensor x = operand(call, 0);
  const bool flat = call.attributes().int_or("opset", 13) < 13;
  const std::int64_t given = call.attributes().int_or("axis", flat ? 1 : -1);
  const std::size_t axis = normalize_axis(call, given, x.rank());
  Tensor y;
  if (flat) {
    const auto rows = static_cast<std::int64_t>(product(x.shape(), 0, axis));
    const auto columns = static_cast<std::int64_t>(product(x.shape(), axis, x.rank()));
    const Tensor matrix = x.reshaped({rows, columns});
    y = call_op(call, "Softmax", {&matrix}, {{"axis", std::int64_t{1}}}).reshaped(x.shape());
  } else {
    y = call_op(call, "Softmax", {&x}, {{"axis", static_cast<std::int64_t>(axis)}});
  }
  return {quantized(call, y, call.input(3), call.optional(4))};
}

/// Inputs scale and zero point of y, then tensor, scale and zero point of every part.
std::vector<Tensor> qlinear_concat(const OpCall& call) {
  if (call.inputs.size() < 5 || call.inputs.size() % 3 != 2) {
    call.fail("tensors, scales and zero points do not come in threes", "2 + 3 n inputs",
              std::to_string(call.inputs.size()));
  }
  std::vector<Tensor> parts;
  for (std::size_t i = 2; i < call.inputs.size(); i += 3) parts.push_back(operand(call, i));
  std::vector<const Tensor*> pointers;
  for (const Tensor& part : parts) pointers.push_back(&part);
  const Tensor all = call_op(call, "Concat", std::move(pointers),
                             {{"axis", call.attributes().require_int("axis")}});
  return {quantized(call, all, call.input(0), call.optional(1))};
}

std::vector<Tensor> qlinear_where(const OpCall& call) {
  const Tensor x = operand(call, 1), y = operand(call, 4);
  return {quantized(call, call_op(call, "Where", {&call.input(0), &x, &y}), call.input(7),
                    call.optional(8))};
}

}  // namespace octavo::ops::reference
