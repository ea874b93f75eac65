// An operator: one row of the op table. Adding an op is one file with its reference implementation
// and one line in all_ops.cc.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ir/graph.h"

namespace octavo::ops {

/// What a reference implementation sees: concrete tensors, absent optional inputs as nullptr.
struct OpCall {
  const ir::Node& node;
  std::span<const Tensor* const> inputs;

  const ir::Attributes& attributes() const { return node.attributes; }
  const Tensor* optional(std::size_t i) const { return i < inputs.size() ? inputs[i] : nullptr; }
  /// Input i, which must be there; Error(kInvalidFile) otherwise.
  const Tensor& input(std::size_t i) const;
  [[noreturn]] void fail(std::string message, std::string expected = {},
                         std::string found = {}) const;
};

/// Plain loops, obviously right: the oracle of kernels, passes and quantisers. One tensor an
/// output, in order.
using Reference = std::vector<Tensor> (*)(const OpCall&);

struct OpDef {
  std::string_view name;    // ONNX spelling
  std::string_view domain;  // "", "com.microsoft", "ai.octavo"
  Reference reference;
};

/// The table, and a lookup; nullptr for an unknown op.
std::span<const OpDef> all_ops();
const OpDef* find_op(std::string_view name, std::string_view domain);

}  // namespace octavo::ops
