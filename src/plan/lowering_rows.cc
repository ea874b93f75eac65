// Row-wise nodes: normalisation, element-wise operations, columns of the last axis.
#include <algorithm>
#include <cmath>

#include "plan/lowering.h"
#include "plan/steps/fake_quantize.h"
#include "plan/steps/pooling.h"

namespace octavo::plan {

using ir::Node;
using ir::NodeId;
using ir::ValueId;
using kernels::Activation;
using kernels::BinaryOp;

namespace {
bool commutes(BinaryOp op) { return op == BinaryOp::kAdd || op == BinaryOp::kMul; }

}  // namespace

void Lowering::lower_layer_norm(const Node& node) {
  const View x = view(node.inputs[0], node);
  const std::int64_t axis = node.attributes.int_or("axis", -1);
  const Tensor* scale = constant(node.input(1));
  const Tensor* bias = constant(node.input(2));
  if ((axis != -1 && axis != (x.layout == Layout::kToken ? 2 : 1)) || scale == nullptr ||
      (node.input(2) != ir::kNoValue && bias == nullptr) || node.outputs.size() > 1) {
    refuse(node, "only normalisation of the last axis with constant scale and bias is packed");
  }
  auto scale_row = as_row(*scale, x.width);
  auto bias_row = bias != nullptr ? as_row(*bias, x.width) : std::nullopt;
  if (!scale_row || (bias != nullptr && !bias_row))
    refuse(node, "its scale or bias has another width");
  const bool in_place = use_count(node.inputs[0]) == 1 && !shared_.contains(x.buffer) &&
                        widths_[static_cast<std::size_t>(x.buffer)] == x.width;
  const View y = in_place ? x : new_view(x.width, x.layout);
  plan_->steps_.push_back(make_layer_norm({.name = node.name,
                                           .x = x,
                                           .y = y,
                                           .scale = std::move(*scale_row),
                                           .bias = std::move(bias_row),
                                           .epsilon = node.attributes.float_or("epsilon", 1e-5f)},
                                          isa_));
  set(node.outputs[0], y);
}

void Lowering::lower_unary(NodeId id, Activation activation) {
  const Node& node = graph_.node(id);
  // act(a) * b is one step: leave the activation to the product.
  NodeId next_id = ir::kNoNode;
  const Node* next = only_reader(node.outputs[0], &next_id);
  const View x = view(node.inputs[0], node);
  if (next != nullptr && next->is("Mul") && next->input(0) != next->input(1)) {
    const ValueId other = next->input(0) == node.outputs[0] ? next->input(1) : next->input(0);
    if (const View* b = other == ir::kNoValue ? nullptr : std::get_if<View>(&get(other));
        b != nullptr && b->width == x.width && b->layout == x.layout) {
      const View y = new_view(x.width, x.layout);
      plan_->steps_.push_back(make_binary({.name = next->name,
                                           .a = x,
                                           .y = y,
                                           .b = *b,
                                           .row = std::nullopt,
                                           .op = BinaryOp::kMul,
                                           .activation = activation},
                                          isa_));
      done_[static_cast<std::size_t>(next_id)] = true;
      return set(next->outputs[0], y);
    }
  }
  const View y = new_view(x.width, x.layout);
  plan_->steps_.push_back(
      make_unary({.name = node.name, .x = x, .y = y, .activation = activation}, isa_));
  set(node.outputs[0], y);
}

void Lowering::lower_binary(const Node& node, BinaryOp op) {
  ValueId a = node.inputs[0], b = node.inputs[1];
  if (constant(a) != nullptr && commutes(op)) std::swap(a, b);
  if (constant(a) != nullptr) refuse(node, "its first operand is a constant");
  Sum* sum_a = std::get_if<Sum>(&get(a));
  if (op == BinaryOp::kAdd && sum_a != nullptr && use_count(a) == 1) {
    Sum* sum_b = constant(b) == nullptr ? std::get_if<Sum>(&get(b)) : nullptr;
    if (sum_b != nullptr && sum_b->width == sum_a->width && use_count(b) == 1 && a != b) {
      Sum both = std::move(*sum_a);
      for (EmbeddingTerm& term : sum_b->terms) both.terms.push_back(std::move(term));
      return set(node.outputs[0], std::move(both));
    }
    if (const Tensor* row = constant(b)) {
      if (auto values = as_row(*row, sum_a->width)) {
        Sum both = std::move(*sum_a);
        both.terms.push_back({.index = EmbeddingTerm::Index::kRow, .table = std::move(*values)});
        return set(node.outputs[0], std::move(both));
      }
    }
  }
  const View x = view(a, node);
  BinarySpec spec{
      .name = node.name, .a = x, .y = {}, .b = std::nullopt, .row = std::nullopt, .op = op};
  if (const Tensor* row = constant(b)) {
    spec.row = as_row(*row, x.width);
    if (!spec.row) refuse(node, "its constant is no row of " + std::to_string(x.width));
  } else {
    spec.b = view(b, node);
    if (spec.b->width != x.width || spec.b->layout != x.layout)
      refuse(node, "its operands have different shapes");
  }
  spec.y = new_view(x.width, x.layout);
  const View y = spec.y;
  plan_->steps_.push_back(make_binary(std::move(spec), isa_));
  set(node.outputs[0], y);
}

void Lowering::lower_fake_quantize(const Node& node) {
  const View x = view(node.inputs[0], node);
  const float scale = node.attributes.float_or("scale", 0);
  const auto low = static_cast<float>(node.attributes.require_int("low")),
             high = static_cast<float>(node.attributes.require_int("high"));
  if (!(scale > 0) || !std::isfinite(scale) || low > 0 || high < 0)
    refuse(node, "its grid is none");
  const View y = new_view(x.width, x.layout);
  plan_->steps_.push_back(make_fake_quantize(
      {.name = node.name, .x = x, .y = y, .scale = scale, .low = low, .high = high}));
  set(node.outputs[0], y);
}

void Lowering::lower_l2_normalize(const Node& node) {
  const View x = view(node.inputs[0], node);
  const float epsilon = node.attributes.float_or("epsilon", 1e-12f);
  if (!(epsilon >= 0) || !std::isfinite(epsilon)) refuse(node, "its epsilon is no length");
  const View y = new_view(x.width, x.layout);
  plan_->steps_.push_back(
      make_l2_normalize({.name = node.name, .x = x, .y = y, .epsilon = epsilon}));
  set(node.outputs[0], y);
}

void Lowering::lower_slice(const Node& node) {
  View x = view(node.inputs[0], node);
  const auto one = [&](std::size_t i, std::int64_t fallback) {
    const ValueId id = node.input(i);
    if (id == ir::kNoValue) return fallback;
    const Tensor* values = constant(id);
    if (values == nullptr || values->elements() != 1)
      refuse(node, "its bounds are not constants of one axis");
    return values->to_int64s().front();
  };
  const std::int64_t rank = x.layout == Layout::kToken ? 3 : 2,
                     width = static_cast<std::int64_t>(x.width);
  std::int64_t begin = one(1, 0), end = one(2, width);
  const std::int64_t axis = one(3, 0), step = one(4, 1);
  if ((axis != -1 && axis != rank - 1) || step != 1)
    refuse(node, "only the last axis can be sliced");
  if (begin < 0) begin += width;
  if (end < 0) end += width;
  begin = std::clamp<std::int64_t>(begin, 0, width);
  end = std::clamp<std::int64_t>(end, begin, width);
  if (begin == end) refuse(node, "it keeps nothing");
  x.offset += static_cast<std::size_t>(begin);
  x.width = static_cast<std::size_t>(end - begin);
  set(node.outputs[0], x);
}

void Lowering::lower_split(const Node& node) {
  View x = view(node.inputs[0], node);
  const std::int64_t axis = node.attributes.int_or("axis", 0);
  if (axis != -1 && axis != (x.layout == Layout::kToken ? 2 : 1))
    refuse(node, "only the last axis can be split");
  std::vector<std::int64_t> sizes;
  if (node.input(1) != ir::kNoValue) {
    const Tensor* given = constant(node.input(1));
    if (given == nullptr) refuse(node, "its sizes are not constant");
    sizes = given->to_int64s();
  } else {
    const auto parts = static_cast<std::int64_t>(node.outputs.size()),
               width = static_cast<std::int64_t>(x.width);
    const std::int64_t each = (width + parts - 1) / parts;
    for (std::int64_t i = 0; i < parts; ++i) sizes.push_back(std::min(each, width - i * each));
  }
  std::size_t left = x.width;
  for (const std::int64_t size : sizes) {
    if (size <= 0 || static_cast<std::size_t>(size) > left) refuse(node, "its sizes do not fit");
    left -= static_cast<std::size_t>(size);
  }
  if (sizes.size() != node.outputs.size() || left != 0) refuse(node, "its sizes do not fit");
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    x.width = static_cast<std::size_t>(sizes[i]);
    if (node.outputs[i] != ir::kNoValue) set(node.outputs[i], x);
    x.offset += x.width;
  }
}

}  // namespace octavo::plan
