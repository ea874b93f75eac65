// What an ONNX file says of itself without its weights: they are stepped over, so that the cost
// does not grow with them.
#pragma once

#include <map>
#include <set>
#include <string>

namespace octavo::formats {

/// As OnnxModel::metadata_props of read_onnx(), but for files that are damaged within the graph,
/// which nobody looks at here. Entries above 1 MiB are left out. Throws Error.
std::map<std::string, std::string> read_onnx_metadata(const std::string& path);

/// The op_type of every node of the graph, whatever its domain. Nodes above 1 MiB (constants) are
/// left out; subgraphs and functions are not looked into. Throws Error.
std::set<std::string> read_onnx_operators(const std::string& path);

}  // namespace octavo::formats
