// Functions that an ONNX model brings along, replaced by their bodies.
#pragma once

#include <cstdint>
#include <vector>

#include "formats/onnx_model.h"

namespace octavo::importers {

struct FlatNode {
  formats::OnnxNode node;  // domain "" for the standard one
  std::int64_t opset = 0;  // of the standard domain where the node was written
};

/// The nodes of the model's graph without calls to its functions. Throws Error(kInvalidFile) for
/// recursion, for a missing opset and for bodies that unfold without measure, Error(kUnsupported)
/// for an opset that cannot be read.
std::vector<FlatNode> inline_functions(const formats::OnnxModel& model);

}  // namespace octavo::importers
