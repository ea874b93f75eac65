// Brings a node of opset 21 to the form it has at an older opset; what importers/onnx_upgrade.h
// does, backwards. Source of the rules: the version history of the operators,
// https://github.com/onnx/onnx/blob/main/docs/Changelog.md
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "formats/onnx_model.h"

namespace octavo::exporters {

/// What a node's inputs are, by the names of values.
struct OnnxValues {
  std::function<const Tensor*(const std::string&)> constant;
  std::function<std::optional<DType>(const std::string&)> dtype;
  /// A name like this one that no value has yet.
  std::function<std::string(const std::string&)> fresh;
};

struct DowngradedNode {
  std::vector<formats::OnnxNode> nodes;           // in order; the last ones make the outputs
  std::vector<formats::OnnxTensor> initializers;  // that the nodes read
};

/// A standard-domain node of opset 21 as nodes of `opset` (11 to 21). Operators that the opset does
/// not have are written out where that is possible. Throws Error(kUnsupported), with the opset that
/// would do, where it is not.
DowngradedNode downgrade_node(formats::OnnxNode node, std::int64_t opset, const OnnxValues& values);

}  // namespace octavo::exporters
