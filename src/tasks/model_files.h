// What MODEL on a command line means: which files of a directory, an .onnx or a .safetensors make
// the model.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/file_mapping.h"
#include "formats/hf_config.h"
#include "ir/graph.h"
#include "tensor/tensor_store.h"

namespace octavo::tasks {

struct ModelFiles {
  std::string path;       // as given
  std::string directory;  // where the small files lie
  std::string weights;    // the .onnx or .safetensors, empty for a directory of shards
  bool onnx = false;
  formats::SentenceTransformersConfig sentence_transformers{};

  /// `tokenizer` where given, else as find_tokenizer() says. kNotFound with advice where there is
  /// none.
  std::string tokenizer_path(const std::string& tokenizer) const;
};

/// Throws kNotFound for a path with no model, kUnsupported for a format octavo does not read.
ModelFiles find_model(const std::string& path);

/// Adds to `files` those that Tokenizer::load(path) reads, unless they are there already.
void add_tokenizer_files(const std::string& path, std::vector<std::string>& files);

struct ImportedModel {
  ir::Graph graph;                                // as the file has it
  std::string family;                             // "bert", or the producer of an ONNX file
  std::vector<std::string> files;                 // that were read, for the digest
  std::map<std::string, std::string> metadata{};  // metadata_props of an ONNX file
};

/// Mapped: for tools that go through the weights once (base/file_mapping.h); weights of which there
/// can be no view go into `store`.
ImportedModel import_model(const ModelFiles& files, FileAccess access = FileAccess::kCopy,
                           const TensorStore* store = nullptr);

}  // namespace octavo::tasks
