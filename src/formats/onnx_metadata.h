// The metadata_props of an ONNX file without the rest of it: the graph, which holds the weights, is
// stepped over, so that the cost does not grow with the model.
#pragma once

#include <map>
#include <string>

namespace octavo::formats {

/// As OnnxModel::metadata_props of read_onnx(), but for files that are damaged within the graph,
/// which nobody looks at here. Entries above 1 MiB are left out. Throws Error.
std::map<std::string, std::string> read_onnx_metadata(const std::string& path);

}  // namespace octavo::formats
