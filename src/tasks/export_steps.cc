#include "tasks/export_steps.h"

#include <filesystem>

#include "exporters/onnx.h"
#include "octavo/error.h"

namespace octavo::tasks {
namespace {

std::string op_name(const std::string& op, const std::string& domain) {
  return domain.empty() ? op : domain + "." + op;
}

ModelFiles checked_source(const std::string& model, const WriteModelOptions& write) {
  ModelFiles files = find_model(model);
  check_output(files, write);
  check_writable(write);
  return files;
}

}  // namespace

void check_opset(std::int64_t opset) {
  if (opset == 0) return;
  if (opset >= exporters::kOldestExportOpset && opset <= exporters::kNewestExportOpset) return;
  throw Error(ErrorCode::kInvalidArgument,
              {.message = "the opset is out of range",
               .place = "--opset",
               .expected = std::to_string(exporters::kOldestExportOpset) + " to " +
                           std::to_string(exporters::kNewestExportOpset),
               .found = std::to_string(opset),
               .fix = "leave it out for " + std::to_string(exporters::kUsualExportOpset) +
                      ", which every engine of today reads"});
}

ExportJob::ExportJob(const std::string& model, WriteModelOptions options)
    : files(checked_source(model, options)),
      write(std::move(options)),
      store(make_store(write)),
      imported(import_model(files, FileAccess::kMap, &store)),
      source_bytes(size_of(imported.files)) {}

std::map<std::string, std::size_t> count_ops(const ir::Graph& graph) {
  std::map<std::string, std::size_t> out;
  for (const ir::NodeId id : graph.topological_order())
    ++out[op_name(graph.node(id).op, graph.node(id).domain)];
  return out;
}

std::map<std::string, std::size_t> count_ops(const formats::OnnxModel& model) {
  std::map<std::string, std::size_t> out;
  for (const formats::OnnxNode& node : model.graph.nodes) ++out[op_name(node.op_type, node.domain)];
  return out;
}

void number_as_checkpoints_do(const ModelFiles& source, ir::Graph& graph) {
  if (source.onnx) return;
  for (const ir::NodeId id : graph.topological_order()) {
    ir::Node& node = graph.node(id);
    if (node.is("PositionIds", "ai.octavo")) node.inputs.resize(1);
    if (node.is("RotaryEmbedding", "ai.octavo")) node.inputs.resize(2);
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
