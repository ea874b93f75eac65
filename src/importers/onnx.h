// ONNX models to graphs.
#pragma once

#include "formats/onnx_model.h"
#include "ir/graph.h"

namespace octavo::importers {

/// The model's graph at opset 21: older forms brought up, functions of the model inlined, Constant
/// nodes and initializers made constants. Opsets 7 to 28 are read.
/// Throws Error(kInvalidFile) for duplicate or undefined names, cycles and missing opsets, and
/// Error(kUnsupported), with every operator that is not in the table, for what cannot run.
ir::Graph import_onnx(const formats::OnnxModel& model);

}  // namespace octavo::importers
