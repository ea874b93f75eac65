#include "passes/result_size.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <vector>

#include "octavo/error.h"
#include "ops/einsum.h"

namespace octavo::passes {
namespace {

double product(std::span<const std::int64_t> dims) {
  double out = 1;
  for (const std::int64_t dim : dims) out *= dim > 0 ? static_cast<double>(dim) : 1.0;
  return out;
}

std::vector<std::int64_t> integers(const Tensor* tensor) {
  if (tensor == nullptr || dtype_is_float(tensor->dtype())) return {};
  return tensor->to_int64s();
}

double number(const Tensor& tensor) {
  if (tensor.elements() == 0) return 0;
  if (dtype_is_float(tensor.dtype())) {
    return static_cast<double>(tensor.to_float32().data<float>()[0]);
  }
  return static_cast<double>(tensor.to_int64s()[0]);
}

/// Rows times columns of a product of two matrices that may be transposed; nothing for others.
std::optional<double> gemm_elements(const ir::Node& node, std::span<const Tensor* const> inputs) {
  const bool integer = node.is("QGemm", "com.microsoft");
  if (!integer && !node.is("Gemm") && !node.is("FusedGemm", "com.microsoft")) return std::nullopt;
  const std::size_t second = integer ? 3 : 1;
  if (inputs.size() <= second || inputs[0] == nullptr || inputs[second] == nullptr) return 0;
  const Tensor &a = *inputs[0], &b = *inputs[second];
  if (a.rank() != 2 || b.rank() != 2) return 0;  // refused by the operator
  const std::int64_t rows = a.dim(node.attributes.int_or("transA", 0) != 0 ? 1 : 0);
  const std::int64_t columns = b.dim(node.attributes.int_or("transB", 0) != 0 ? 0 : 1);
  return static_cast<double>(rows) * static_cast<double>(columns);
}

/// The result of com.microsoft's FusedMatMul, whose operands are turned first.
double fused_matmul_elements(const ir::Node& node, std::span<const Tensor* const> inputs) {
  if (inputs.size() < 2 || inputs[0] == nullptr || inputs[1] == nullptr) return 0;
  double out = 1;
  std::vector<std::int64_t> batch;
  for (const std::size_t side : {0u, 1u}) {
    Shape shape = inputs[side]->shape();
    if (shape.size() < 2) return 0;  // no more than the other operand
    const char* const turned[2][2] = {{"transBatchA", "transA"}, {"transBatchB", "transB"}};
    if (node.attributes.int_or(turned[side][0], 0) != 0) {
      std::rotate(shape.begin(), shape.begin() + 1, shape.end() - 1);
    }
    const bool transposed = node.attributes.int_or(turned[side][1], 0) != 0;
    out *= static_cast<double>(shape[shape.size() - ((side == 0) == transposed ? 1 : 2)]);
    shape.resize(shape.size() - 2);
    std::reverse(shape.begin(), shape.end());
    if (batch.size() < shape.size()) batch.resize(shape.size(), 1);
    for (std::size_t i = 0; i < shape.size(); ++i) batch[i] = std::max(batch[i], shape[i]);
  }
  return out * product(batch);
}

double einsum_elements(const ir::Node& node, std::span<const Tensor* const> inputs) {
  try {
    return product(ops::einsum_shape({node, inputs}));
  } catch (const Error&) {
    return 0;  // the operator refuses it, too
  }
}

}  // namespace

double result_bytes(const ir::Node& node, std::span<const Tensor* const> inputs) {
  const auto given = [&](std::size_t i) { return i < inputs.size() ? inputs[i] : nullptr; };
  const auto sizes = [&](std::size_t i) { return product(integers(given(i))); };
  constexpr double kElement = 8;
  if (node.is("ConstantOfShape")) return kElement * sizes(0);
  const double first = given(0) != nullptr ? static_cast<double>(given(0)->elements()) : 1;
  if (node.is("Tile")) return kElement * first * sizes(1);
  if (node.is("OneHot") && given(1) != nullptr) return kElement * first * number(*inputs[1]);
  if (node.is("Range") && given(0) != nullptr && given(1) != nullptr && given(2) != nullptr) {
    return kElement * (number(*inputs[1]) - number(*inputs[0])) / number(*inputs[2]);
  }
  if (const auto elements = gemm_elements(node, inputs)) return kElement * *elements;
  if (node.is("FusedMatMul", "com.microsoft")) {
    return kElement * std::max(first, fused_matmul_elements(node, inputs));
  }
  if (node.is("Einsum")) return kElement * einsum_elements(node, inputs);
  if (node.is("Resize") || node.is("Upsample")) return std::numeric_limits<double>::infinity();
  if (node.is("Pad") && given(0) != nullptr && given(1) != nullptr) {
    double extra = 1;
    for (const std::int64_t pad : integers(inputs[1])) extra += std::fabs(static_cast<double>(pad));
    double out = kElement;
    for (const std::int64_t dim : inputs[0]->shape()) out *= static_cast<double>(dim) + extra;
    return out;
  }
  if (node.is("MatMulBnb4", "com.microsoft")) {
    const double inner = std::max<double>(1, static_cast<double>(node.attributes.int_or("K", 1)));
    return kElement * first / inner * static_cast<double>(node.attributes.int_or("N", 0));
  }
  const bool blocks = node.is("GatherBlockQuantized", "com.microsoft");
  if ((node.is("Gather") || blocks) && given(0) != nullptr && given(1) != nullptr &&
      given(0)->rank() > 0) {
    const auto axis = node.attributes.int_or(blocks ? "gather_axis" : "axis", 0);
    constexpr double kMostInAByte = 4;
    const auto rank = static_cast<std::int64_t>(given(0)->rank());
    const std::int64_t at = axis < 0 ? axis + rank : axis;
    if (at < 0 || at >= rank) return 0;
    const double dim = static_cast<double>(given(0)->dim(static_cast<std::size_t>(at)));
    return kElement * (blocks ? kMostInAByte : 1) * first / std::max(dim, 1.0) *
           static_cast<double>(given(1)->elements());
  }
  if (node.is("Concat")) {
    double sum = 0;
    for (const Tensor* t : inputs) sum += t != nullptr ? static_cast<double>(t->elements()) : 0;
    return kElement * sum;
  }
  // Elementwise, layout and reductions: no more than the broadcast of all operands. A product has
  // at most rows times columns.
  std::vector<std::int64_t> broadcast;
  double largest = 1;
  const auto add = [&](std::span<const std::int64_t> shape) {
    if (shape.size() > broadcast.size()) {
      broadcast.insert(broadcast.begin(), shape.size() - broadcast.size(), 1);
    }
    const std::size_t lead = broadcast.size() - shape.size();
    for (std::size_t i = 0; i < shape.size(); ++i) {
      broadcast[lead + i] = std::max(broadcast[lead + i], shape[i]);
    }
  };
  for (const Tensor* t : inputs) {
    if (t == nullptr) continue;
    largest = std::max(largest, static_cast<double>(t->elements()));
    add(t->shape());
  }
  if (node.is("Expand")) add(integers(given(1)));
  return kElement * std::max(product(broadcast), largest);
}

}  // namespace octavo::passes
