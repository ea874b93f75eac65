// Models as ONNX: a Hugging Face directory, or an ONNX file of another opset, written for
// onnxruntime and the engines around it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "octavo/embedder.h"
#include "octavo/model.h"

namespace octavo {

struct ConvertOptions {
  std::int64_t opset = 0;                // 11 to 21; 0: 17, or 21 where the model needs it
  std::string file_name = "model.onnx";  // in the output directory
  bool force = false;                    // replace files of an output directory that holds some
  bool external_data = false;  // weights into a file of their own; above 2 GiB without asking
  /// Outputs `token_embeddings` and `sentence_embedding` [batch_size, dimensions]: the model pools,
  /// applies its dense layers and normalises by itself, as its sentence-transformers files say or
  /// as the two values below do. Each of them asks for it too. cls is the first token that the
  /// mask keeps and weighted_mean numbers kept tokens, wherever a row is padded, as the embedder
  /// does; sentence-transformers takes columns, which differs on rows padded on the left.
  bool sentence_embedding = false;
  std::optional<Pooling> pooling{};
  std::optional<bool> normalize{};
  /// Asked now and then; true ends the work with kCancelled and nothing written.
  std::function<bool()> cancelled{};
};

struct ConvertResult {
  std::string path;                         // of the model that was written
  std::vector<std::string> files;           // all that were written, relative to the directory
  std::string family;                       // "bert", or the producer of an ONNX file
  std::size_t source_bytes = 0, bytes = 0;  // of the weights, before and after
  std::map<std::string, std::size_t> ops;   // nodes by type as written
  std::int64_t opset = 0;
  std::string pooling;  // of sentence_embedding: "mean", "cls+mean"; empty without
  std::vector<ModelInput> inputs, outputs;
};

/// Writes the model as ONNX into `directory`, with its tokenizer, config and pooling files and the
/// record of how it was made. Batch and length stay dynamic; the axes are named as Hugging Face
/// names them (batch_size, sequence_length). Throws as Model::load(), kInvalidArgument for an
/// output directory that cannot be used or an opset out of range, kUnsupported where the opset
/// cannot say what the model computes.
ConvertResult convert_model(const std::string& model, const std::string& directory,
                            const ConvertOptions& options = {});

}  // namespace octavo
