// Writes a model as a directory that octavo, onnxruntime, sentence-transformers and search engines
// load: the ONNX file with the tokenizer, config and pooling files of its source beside it.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "formats/onnx_model.h"
#include "tasks/model_files.h"
#include "tasks/model_record.h"
#include "tensor/tensor_store.h"

namespace octavo::tasks {

struct WriteModelOptions {
  std::string directory;                 // OUT_DIR
  std::string file_name = "model.onnx";  // relative to it: "onnx/model_quantized.onnx"
  bool force = false;          // an OUT_DIR that holds files: replace those of the same name
  bool external_data = false;  // `<file_name>_data` for large tensors; above 2 GiB without asking
  /// Asked before every file; true ends the work with kCancelled.
  std::function<bool()> cancelled{};
};

struct WrittenModel {
  std::string path;                // of the model
  std::vector<std::string> files;  // all that were written, relative to the directory
  std::size_t bytes = 0;           // of the model and its external data
};

/// One file of a directory with several models.
struct ModelVariant {
  std::string file_name;
  formats::OnnxModel model;
  ModelRecord record;
};

/// Throws what write_model() would throw of the directory: kInvalidArgument for an OUT_DIR that is
/// no directory, holds files and there is no `force`, or is where the source lies, and for a
/// `file_name` that leaves OUT_DIR or does not end with ".onnx". To be called before the work
/// begins, so that nobody waits for an error.
void check_output(const ModelFiles& source, const WriteModelOptions& options);

/// Throws kIo where write_model() could not make its files: tries it where OUT_DIR is or will be,
/// and leaves nothing behind. check_output() first.
void check_writable(const WriteModelOptions& options);

/// Where large tensors may lie meanwhile: where OUT_DIR is, or will be, on the same file system.
TensorStore make_store(const WriteModelOptions& options);

/// Throws kCancelled where options.cancelled() says so.
void stop_if_cancelled(const WriteModelOptions& options);

/// check_output(), then `write` into a new directory beside OUT_DIR, synced; what `write` gives,
/// the names of the files it wrote there, takes its place in OUT_DIR as write_model() says.
void write_staged(
    const ModelFiles& source, const WriteModelOptions& options,
    const std::function<std::vector<std::string>(const std::string& directory)>& write);

/// Writes `model` with `record` (in its metadata_props and as octavo.json) and copies the
/// companions of `source`. Everything is written into a directory beside OUT_DIR, synced, and then
/// renamed; a failure leaves OUT_DIR as it was. An OUT_DIR with files gets the new files one by
/// one, each whole, the model's data first. Files of the source are never written to.
WrittenModel write_model(formats::OnnxModel model, const ModelFiles& source,
                         const ModelRecord& record, const WriteModelOptions& options);
/// The same for several models that share their companions; octavo.json is the first one's record.
/// `options.file_name` is not read.
std::vector<WrittenModel> write_models(std::vector<ModelVariant> variants, const ModelFiles& source,
                                       const WriteModelOptions& options);

/// The files beside a model that say how to use it (tokenizer, config, pooling, dense modules,
/// license): where they lie, and their names in a written directory. Sorted, none twice.
struct Companion {
  std::string path, name;
};
std::vector<Companion> find_companions(const ModelFiles& source);

}  // namespace octavo::tasks
