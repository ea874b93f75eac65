#include "ops/contrib.h"

namespace octavo::ops {

Tensor call_op(const OpCall& call, std::string_view op, std::vector<const Tensor*> inputs,
               std::initializer_list<std::pair<const char*, ir::Attribute>> attributes) {
  ir::Node node;
  node.op = call.node.op;
  node.name = call.node.name;
  node.outputs = {0};
  for (const auto& [name, value] : attributes) node.attributes.set(name, value);
  return find_op(op, "")->reference({node, inputs}).front();
}

void require_row(const OpCall& call, const Tensor& x, const Tensor& row) {
  if (x.rank() == 0 || row.rank() != 1 || row.dim(0) != x.shape().back()) {
    call.fail("a row does not fit the last dimension",
              x.rank() == 0 ? "1 dimension or more" : shape_to_string(Shape{x.shape().back()}),
              shape_to_string(row.shape()));
  }
}

Tensor add_row(const OpCall& call, const Tensor& x, const Tensor* row) {
  if (row == nullptr) return x;
  require_row(call, x, *row);
  return call_op(call, "Add", {&x, row});
}

Tensor dequantized(const OpCall& call, const Tensor& x, const Tensor& scale,
                   const Tensor* zero_point, std::size_t axis) {
  if (x.dtype() != DType::kUint8 && x.dtype() != DType::kInt8) {
    fail_dtype(call, x.dtype(), "uint8 or int8");
  }
  const Tensor flat = scale.elements() == 1 ? scale.reshaped({}) : scale;
  Tensor zero;
  if (zero_point != nullptr) {
    // One zero point may serve many scales.
    zero = zero_point->elements() == 1 ? strided_copy(call, zero_point->reshaped({1}), flat.shape(),
                                                      0, Strides(flat.rank(), 0))
                                       : *zero_point;
  }
  return call_op(call, "DequantizeLinear", {&x, &flat, zero_point != nullptr ? &zero : nullptr},
                 {{"axis", static_cast<std::int64_t>(axis)}});
}

Tensor quantized(const OpCall& call, const Tensor& x, const Tensor& scale,
                 const Tensor* zero_point) {
  if (scale.elements() != 1 || (zero_point != nullptr && zero_point->elements() != 1)) {
    call.fail("a scale or zero point of a result must be one number", "1 element",
              shape_to_string(scale.shape()));
  }
  return call_op(call, "QuantizeLinear", {&x, &scale, zero_point});
}

Tensor scaled_product(const OpCall& call, const Tensor& a, const Tensor& b, const Tensor& a_scale,
                      const Tensor& b_scale, const Tensor* a_zero, const Tensor* b_zero,
                      const Tensor* bias) {
  if (a.rank() < 1 || b.rank() < 2) call.fail("a matrix is expected", "2 dimensions or more");
  if (a_zero != nullptr && a_zero->elements() != 1) {
    call.fail("the zero point of the left matrix must be one number", "1 element",
              shape_to_string(a_zero->shape()));
  }
  const Tensor sums =
      matmul(call, centered(call, a, a_zero, 0), centered(call, b, b_zero, b.rank() - 1));
  const auto columns = static_cast<std::size_t>(b.shape().back());
  if (b_scale.dtype() != DType::kFloat32) fail_dtype(call, b_scale.dtype(), "float32");
  if (b_scale.elements() != 1 && b_scale.elements() != columns) {
    call.fail("a scale does not fit its matrix", "1 element or " + std::to_string(columns),
              shape_to_string(b_scale.shape()));
  }
  const auto left = static_cast<float>(number(call, a_scale));
  const auto right = b_scale.data<float>();
  Tensor out = make_output(call, DType::kFloat32, sums.shape());
  const auto from = sums.data<std::int32_t>();
  const auto to = out.mutable_data<float>();
  for (std::size_t i = 0; i < to.size(); ++i) {
    to[i] = static_cast<float>(from[i]) * (left * right[right.size() == 1 ? 0 : i % columns]);
  }
  return add_row(call, out, bias);
}

}  // namespace octavo::ops
