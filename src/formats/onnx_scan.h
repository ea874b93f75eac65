// What an ONNX file says of itself without its weights: they are stepped over, so that the cost
// does not grow with them.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace octavo::formats {

/// As OnnxModel::metadata_props of read_onnx(), but for files that are damaged within the graph,
/// which nobody looks at here. Entries above 1 MiB are left out. Throws Error.
std::map<std::string, std::string> read_onnx_metadata(const std::string& path);

/// A graph without its weights. Nodes above 1 MiB (constants) are left out; subgraphs and functions
/// are not looked into.
struct OnnxOutline {
  struct Node {
    std::string op_type;
    std::vector<std::string> inputs;
    std::map<std::string, std::int64_t> numbers;  // attributes that are one integer
  };
  std::vector<Node> nodes;
  std::map<std::string, std::int32_t> initializers;  // TensorProto.DataType by name
};

/// Throws Error.
OnnxOutline read_onnx_outline(const std::string& path);

}  // namespace octavo::formats
