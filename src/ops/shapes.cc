// Ops that make or change shapes without touching elements: Shape, Size, Reshape, Flatten, Squeeze,
// Unsqueeze, Identity, Dropout; and Constant.
#include <algorithm>

#include "ops/reference.h"

namespace octavo::ops::reference {

std::vector<Tensor> identity(const OpCall& call) { return {call.input(0)}; }

/// Inference: the input, and a mask that keeps everything.
std::vector<Tensor> dropout(const OpCall& call) {
  const Tensor& x = call.input(0);
  if (const Tensor* training = call.optional(2)) {
    if (training->elements() == 1 && training->bytes()[0] != std::byte{0} &&
        !(call.optional(1) != nullptr && number(call, call.input(1)) == 0)) {
      call.fail("Dropout in training mode cannot be run", "training_mode false", "true");
    }
  }
  if (call.node.outputs.size() < 2) return {x};
  Tensor mask = make_output(call, DType::kBool, x.shape());
  std::ranges::fill(mask.mutable_data<std::uint8_t>(), std::uint8_t{1});
  return {x, mask};
}

/// The value is in one of the attributes value, value_int(s), value_float(s).
std::vector<Tensor> constant(const OpCall& call) {
  const ir::Attributes& a = call.attributes();
  if (a.find("value") != nullptr) return {*a.tensor("value")};
  if (a.find("value_int") != nullptr) return {Tensor::scalar(a.int_or("value_int", 0))};
  if (a.find("value_float") != nullptr) return {Tensor::scalar(a.float_or("value_float", 0))};
  if (const auto list = a.ints("value_ints")) return {Tensor::vector<std::int64_t>(*list)};
  if (const auto list = a.floats("value_floats")) return {Tensor::vector<float>(*list)};
  call.fail("a constant has no value that can be read", "value, value_int(s) or value_float(s)");
}

std::vector<Tensor> shape(const OpCall& call) {
  const Shape& dims = call.input(0).shape();
  const auto rank = static_cast<std::int64_t>(dims.size());
  const auto cut = [&](std::int64_t at) {
    if (at < 0) at = at < -rank ? 0 : at + rank;
    return std::min(at, rank);
  };
  const std::int64_t first = cut(call.attributes().int_or("start", 0));
  const std::int64_t last = std::max(first, cut(call.attributes().int_or("end", rank)));
  return {Tensor::vector<std::int64_t>(std::span(dims).subspan(
      static_cast<std::size_t>(first), static_cast<std::size_t>(last - first)))};
}

std::vector<Tensor> size(const OpCall& call) {
  return {Tensor::scalar(static_cast<std::int64_t>(call.input(0).elements()))};
}

std::vector<Tensor> reshape(const OpCall& call) {
  const Tensor& x = call.input(0);
  const bool allow_zero = call.attributes().int_or("allowzero", 0) != 0;
  Shape wanted = integers(call, call.input(1));
  const auto refuse = [&] {
    call.fail("a tensor cannot take this shape",
              std::to_string(x.elements()) + " elements, as " + shape_to_string(x.shape()),
              shape_to_string(integers(call, call.input(1))));
  };
  std::size_t known = 1, unknown = wanted.size();
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i] == 0 && !allow_zero) {
      if (i >= x.rank()) refuse();
      wanted[i] = x.dim(i);
    }
    if (wanted[i] == -1) {
      if (unknown != wanted.size()) refuse();
      unknown = i;
      continue;
    }
    if (wanted[i] < 0 || __builtin_mul_overflow(known, static_cast<std::size_t>(wanted[i]), &known))
      refuse();
  }
  if (unknown != wanted.size()) {
    if (known == 0 || x.elements() % known != 0) refuse();
    wanted[unknown] = static_cast<std::int64_t>(x.elements() / known);
    known *= x.elements() / known;
  }
  if (known != x.elements() || !is_possible(wanted, x.dtype())) refuse();
  return {x.reshaped(std::move(wanted))};
}

std::vector<Tensor> flatten(const OpCall& call) {
  const Tensor& x = call.input(0);
  const std::int64_t at = call.attributes().int_or("axis", 1);
  const std::size_t axis =
      at == static_cast<std::int64_t>(x.rank()) ? x.rank() : normalize_axis(call, at, x.rank());
  return {x.reshaped({static_cast<std::int64_t>(product(x.shape(), 0, axis)),
                      static_cast<std::int64_t>(product(x.shape(), axis, x.rank()))})};
}

std::vector<Tensor> squeeze(const OpCall& call) {
  const Tensor& x = call.input(0);
  Shape out;
  std::vector<bool> drop(x.rank(), false);
  if (const Tensor* axes = call.optional(1)) {
    for (const std::size_t axis : normalize_axes(call, integers(call, *axes), x.rank())) {
      if (x.dim(axis) != 1) {
        call.fail("a dimension to squeeze is not 1", "1 at axis " + std::to_string(axis),
                  shape_to_string(x.shape()));
      }
      drop[axis] = true;
    }
  } else {
    for (std::size_t i = 0; i < x.rank(); ++i) drop[i] = x.dim(i) == 1;
  }
  for (std::size_t i = 0; i < x.rank(); ++i) {
    if (!drop[i]) out.push_back(x.dim(i));
  }
  return {x.reshaped(std::move(out))};
}

std::vector<Tensor> unsqueeze(const OpCall& call) {
  const Tensor& x = call.input(0);
  const auto axes = integers(call, call.input(1));
  const auto sorted = normalize_axes(call, axes, x.rank() + axes.size());
  Shape out = x.shape();
  for (const std::size_t axis : sorted) {
    out.insert(out.begin() + static_cast<std::ptrdiff_t>(axis), 1);
  }
  return {x.reshaped(std::move(out))};
}

}  // namespace octavo::ops::reference
