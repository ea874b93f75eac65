// Graphs to ONNX models.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "formats/onnx_model.h"
#include "ir/graph.h"

namespace octavo::exporters {

inline constexpr std::int64_t kOldestExportOpset = 11;
inline constexpr std::int64_t kUsualExportOpset = 17;
inline constexpr std::int64_t kNewestExportOpset = 21;

struct OnnxExportOptions {
  std::int64_t opset = 0;  // 0: the usual one, or the newest where that cannot say the graph
  std::map<std::string, std::string> metadata{};  // becomes metadata_props
};

/// The model of a graph whose nodes are of the standard domain (at opset 21, brought down to
/// `opset`) or of com.microsoft. Inputs and outputs keep their names, types and symbolic
/// dimensions; other values get unique names where they have none. Constants that the model holds
/// share their storage with the graph.
/// Throws Error(kInvalidArgument) for an opset out of range, kUnsupported for operators of
/// ai.octavo (passes::expand_octavo writes them out first) and for what the opset cannot say.
formats::OnnxModel export_onnx(const ir::Graph& graph, const OnnxExportOptions& options = {});

/// The opset of the standard domain that an exported model was written at.
std::int64_t opset_of(const formats::OnnxModel& exported);

}  // namespace octavo::exporters
