#include "octavo/convert.h"

#include "exporters/onnx.h"
#include "passes/expand_octavo.h"
#include "passes/pass.h"
#include "tasks/export_steps.h"
#include "tasks/sentence_graph.h"
#include "tasks/write_model.h"

namespace octavo {
namespace {

/// Importers name the axes "batch" and "sequence"; files that are published say it as Hugging
/// Face's exporter does.
void rename_axes(ir::Graph& graph) {
  for (std::size_t i = 0; i < graph.value_count(); ++i) {
    ir::Value& value = graph.value(static_cast<ir::ValueId>(i));
    if (!value.shape) continue;
    for (ir::Dim& dim : *value.shape) {
      if (dim.symbol == "batch") dim.symbol = "batch_size";
      if (dim.symbol == "sequence") dim.symbol = "sequence_length";
    }
  }
}

/// Transposed weights, as checkpoints have them, become weights.
void fold(ir::Graph& graph, const TensorStore& store) {
  passes::PassContext context(graph, &store);
  passes::fold_constants(graph, context);
  graph.remove_dead();
  graph.verify();
}

std::vector<ModelInput> describe(const std::vector<formats::OnnxValueInfo>& values) {
  std::vector<ModelInput> out;
  for (const formats::OnnxValueInfo& value : values) {
    const auto dtype = dtype_from_onnx(value.elem_type);
    ModelInput& made = out.emplace_back();
    made.name = value.name;
    made.dtype = dtype ? std::string(dtype_name(*dtype)) : "unknown";
    if (!value.shape) continue;
    for (const formats::OnnxDimension& dim : *value.shape) {
      made.shape.push_back(dim.value           ? std::to_string(*dim.value)
                           : dim.param.empty() ? "?"
                                               : dim.param);
    }
  }
  return out;
}

}  // namespace

ConvertResult convert_model(const std::string& model, const std::string& directory,
                            const ConvertOptions& options) {
  tasks::check_opset(options.opset);
  tasks::ExportJob job(model, tasks::write_options(directory, options));
  ir::Graph& graph = job.imported.graph;
  ConvertResult out;
  out.family = job.imported.family;
  out.source_bytes = job.source_bytes;
  std::map<std::string, std::string> recipe;
  if (options.external_data) recipe["external_data"] = "true";
  if (options.sentence_embedding || options.pooling || options.normalize) {
    out.pooling = tasks::add_sentence_embedding(
        graph, job.files, {.pooling = options.pooling, .normalize = options.normalize});
    recipe["sentence_embedding"] = "true";
    recipe["pooling"] = out.pooling;
    if (options.normalize) recipe["normalize"] = *options.normalize ? "true" : "false";
  }
  tasks::number_as_checkpoints_do(job.files, graph);
  tasks::stop_if_cancelled(job.write);
  if (!job.files.onnx) {
    rename_axes(graph);
    fold(graph, job.store);
  }
  passes::expand_octavo(graph);
  formats::OnnxModel onnx = exporters::export_onnx(graph, {.opset = options.opset, .metadata = {}});
  out.opset = exporters::opset_of(onnx);
  recipe["opset"] = std::to_string(out.opset);
  out.ops = tasks::count_ops(onnx);
  out.inputs = describe(onnx.graph.inputs);
  out.outputs = describe(onnx.graph.outputs);
  const tasks::ModelRecord record = tasks::make_record(
      job.files, job.imported, {.verb = "convert", .options = std::move(recipe)});
  tasks::finish(job, std::move(onnx), record, out);
  return out;
}

}  // namespace octavo
