// A model as it is published: one directory with the files that sentence-transformers,
// transformers.js and search engines look for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace octavo {

struct PublishOptions {
  std::int64_t opset = 0;      // 11 to 21; 0: 17, or 21 where the model needs it
  bool force = false;          // replace files of an output directory that holds some
  bool external_data = false;  // weights into files of their own; above 2 GiB without asking
  /// Asked now and then; true ends the work with kCancelled and nothing written.
  std::function<bool()> cancelled{};
};

struct PublishedModel {
  std::string file;  // relative to the directory
  std::string what;  // "float32, as converted"
  std::size_t bytes = 0, nodes = 0;
};

struct PublishResult {
  std::string path;  // of the directory
  std::vector<PublishedModel> models;
  std::vector<std::string> files;  // all that were written, relative to it
  std::size_t source_bytes = 0;    // of the weights
  std::int64_t opset = 0;          // of `onnx/model.onnx`
};

/// Writes into `directory` the model as convert_model() does (`onnx/model.onnx`), as
/// optimize_model() does at level 2 (`onnx/model_O2.onnx`) and that one with int8 weights, a scale
/// a channel of 7 bits for CPUs without VNNI, and activations with a scale a tensor
/// (`onnx/model_quantized.onnx`); beside the folder its tokenizer, config and pooling files,
/// octavo.json (the record of the first) and README.md, which says how each was made, how large it
/// is and how to use it. Throws as these do; then nothing is written.
PublishResult publish_model(const std::string& model, const std::string& directory,
                            const PublishOptions& options = {});

}  // namespace octavo
