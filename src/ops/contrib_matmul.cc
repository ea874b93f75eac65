// com.microsoft: FusedMatMul, FusedGemm, MatMulIntegerToFloat, DynamicQuantizeMatMul, QGemm.
#include <algorithm>
#include <cmath>

#include "ops/contrib.h"

namespace octavo::ops::reference {
namespace {

// The first dimension becomes the last but one (`batch`), then the last two change places.
Tensor arranged(const OpCall& call, const Tensor& x, bool batch, bool transpose) {
  if ((!batch && !transpose) || x.rank() < 2) return x;
  std::vector<std::int64_t> perm;
  for (std::size_t i = batch ? 1 : 0; i + 1 < x.rank(); ++i) {
    perm.push_back(static_cast<std::int64_t>(i));
  }
  if (batch) perm.push_back(0);
  perm.push_back(static_cast<std::int64_t>(x.rank()) - 1);
  if (transpose) std::swap(perm[perm.size() - 1], perm[perm.size() - 2]);
  return call_op(call, "Transpose", {&x}, {{"perm", perm}});
}

}  // namespace

/// alpha * A' B'; transA, transB; transBatchA, transBatchB move the first dimension behind the
/// other batch dimensions.
std::vector<Tensor> fused_matmul(const OpCall& call) {
  const auto flag = [&](const char* name) { return call.attributes().int_or(name, 0) != 0; };
  const Tensor a = arranged(call, call.input(0), flag("transBatchA"), flag("transA"));
  const Tensor b = arranged(call, call.input(1), flag("transBatchB"), flag("transB"));
  const float alpha = call.attributes().float_or("alpha", 1.0f);
  Tensor out = ops::matmul(call, a, b);
  if (alpha == 1.0f) return {std::move(out)};
  return {dispatch_floats(call, out.dtype(), [&]<typename T>(Tag<T>) {
    return map_elements<T>(call, out, [&]<typename C>(C x) { return x * static_cast<C>(alpha); });
  })};
}

/// Gemm and an activation.
std::vector<Tensor> fused_gemm(const OpCall& call) {
  const std::string activation = call.attributes().string_or("activation", "");
  const Tensor sum = find_op("Gemm", "")->reference(call).front();
  if (activation.empty()) return {sum};
  for (const char* known : {"Relu", "Tanh", "Sigmoid"}) {
    if (activation == known) return {call_op(call, known, {&sum})};
  }
  call.fail("attribute 'activation' is not known", "Relu, Tanh or Sigmoid", "'" + activation + "'");
}

/// Inputs a, b, scales of both, zero points of both, bias.
std::vector<Tensor> matmul_integer_to_float(const OpCall& call) {
  return {scaled_product(call, call.input(0), call.input(1), call.input(2), call.input(3),
                         call.optional(4), call.optional(5), call.optional(6))};
}

/// Inputs a in float32, b, its scale, its zero point, bias; a is rounded as DynamicQuantizeLinear
/// does.
std::vector<Tensor> dynamic_quantize_matmul(const OpCall& call) {
  call.input(0);
  const auto parts =
      find_op("DynamicQuantizeLinear", "")->reference({call.node, call.inputs.first(1)});
  return {scaled_product(call, parts[0], call.input(1), parts[1], call.input(2), &parts[2],
                         call.optional(3), call.optional(4))};
}

/// Inputs a, its scale and zero point, b, its scales and zero points, an int32 bias in steps of
/// both scales, scale and zero point of y; y is float32 without them. alpha, transA, transB.
std::vector<Tensor> qgemm(const OpCall& call) {
  const auto matrix = [&](std::size_t i, const char* transpose) {
    const Tensor& x = call.input(i);
    require_rank(call, x, 2);
    if (call.attributes().int_or(transpose, 0) == 0) return x;
    return strided_copy(call, x, {x.dim(1), x.dim(0)}, 0, {1, x.dim(1)});
  };
  const Tensor a = matrix(0, "transA"), b = matrix(3, "transB");
  const Tensor& b_scale = call.input(4);
  if (b_scale.dtype() != DType::kFloat32) fail_dtype(call, b_scale.dtype(), "float32");
  Tensor sums =
      ops::matmul(call, centered(call, a, &call.input(2), 0), centered(call, b, &call.input(5), 1));
  if (const Tensor* bias = call.optional(6)) {
    if (broadcast_shapes(call, sums.shape(), bias->shape()) != sums.shape()) {
      call.fail("the bias does not broadcast to the product", shape_to_string(sums.shape()),
                shape_to_string(bias->shape()));
    }
    sums = call_op(call, "Add", {&sums, bias});
  }
  const auto columns = static_cast<std::size_t>(b.dim(1));
  if (b_scale.elements() != 1 && b_scale.elements() != columns) {
    call.fail("a scale does not fit its matrix", "1 element or " + std::to_string(columns),
              shape_to_string(b_scale.shape()));
  }
  const float left =
      static_cast<float>(number(call, call.input(1))) * call.attributes().float_or("alpha", 1.0f);
  Tensor out = make_output(call, DType::kFloat32, sums.shape());
  const auto to = out.mutable_data<float>();
  const auto by = b_scale.data<float>();
  for (std::size_t i = 0; i < to.size(); ++i) {
    to[i] = static_cast<float>(sums.data<std::int32_t>()[i]) *
            (left * by[by.size() == 1 ? 0 : i % columns]);
  }
  if (call.optional(7) == nullptr) return {std::move(out)};
  return {quantized(call, out, call.input(7), &call.input(8))};
}

}  // namespace octavo::ops::reference
