#include "tasks/export_steps.h"

#include <filesystem>

namespace octavo::tasks {

void number_as_checkpoints_do(const ModelFiles& source, ir::Graph& graph) {
  if (source.onnx) return;
  for (const ir::NodeId id : graph.topological_order()) {
    ir::Node& node = graph.node(id);
    if (node.is("PositionIds", "ai.octavo")) node.inputs.resize(1);
  }
}

std::size_t size_of(const std::vector<std::string>& files) {
  std::size_t out = 0;
  for (const std::string& file : files) {
    std::error_code missing;
    const auto size = std::filesystem::file_size(file, missing);
    if (!missing) out += size;
  }
  return out;
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : ",") + word;
  return out;
}

}  // namespace octavo::tasks
