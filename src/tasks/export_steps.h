// What convert, optimize and quantize have in common beside write_model.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "ir/graph.h"
#include "tasks/model_files.h"
#include "tasks/write_model.h"
#include "tensor/tensor_store.h"

namespace octavo::tasks {

/// What the options of a verb say of the directory that it writes.
template <typename Options>
WriteModelOptions write_options(const std::string& directory, const Options& options) {
  return {.directory = directory,
          .file_name = options.file_name,
          .force = options.force,
          .external_data = options.external_data,
          .cancelled = options.cancelled};
}

/// Throws for an opset that nothing is written at; 0, which leaves it to the exporter, is none. To
/// be called before the work begins.
void check_opset(std::int64_t opset);

/// A model on its way from its source, which is mapped, to a directory.
struct ExportJob {
  /// Checks that the directory may and can be written before it imports the model.
  ExportJob(const std::string& model, WriteModelOptions options);

  ModelFiles files;
  WriteModelOptions write;
  TensorStore store;  // of what passes make of the weights
  ImportedModel imported;
  std::size_t source_bytes;
};

/// Writes the model, for which the imported one goes, and says in `out` what was written.
template <typename Result>
void finish(ExportJob& job, formats::OnnxModel model, const ModelRecord& record, Result& out) {
  job.imported = {};  // the exported model holds the weights
  WrittenModel written = write_model(std::move(model), job.files, record, job.write);
  out.path = std::move(written.path);
  out.files = std::move(written.files);
  out.bytes = written.bytes;
}

/// Nodes by operator: "MatMul", "com.microsoft.Attention".
std::map<std::string, std::size_t> count_ops(const ir::Graph& graph);
std::map<std::string, std::size_t> count_ops(const formats::OnnxModel& model);

/// Importers of checkpoints number kept tokens, which is the same wherever rows are padded. The
/// implementations that the checkpoints come from number all tokens, or all ids that are no
/// padding: what is written does as they do. Graphs of ONNX files stay as they are.
void number_as_checkpoints_do(const ModelFiles& source, ir::Graph& graph);

/// Bytes of the files that are there.
std::size_t size_of(const std::vector<std::string>& files);

/// "a,b".
std::string joined(const std::vector<std::string>& words);

}  // namespace octavo::tasks
