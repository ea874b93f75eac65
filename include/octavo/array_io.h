// Arrays in files: tensors by name (safetensors), and embeddings that arrive in pieces (JSONL, NPY,
// safetensors). Files are whole or absent, never half written.
#pragma once

#include <cstddef>
#include <functional>
#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

#include "octavo/embedder.h"
#include "octavo/model.h"

namespace octavo {

/// All tensors of a safetensors file. Errors: kNotFound, kInvalidFile.
std::vector<NamedTensor> read_tensors(const std::string& path);
/// Writes a safetensors file.
void write_tensors(const std::string& path, const std::vector<NamedTensor>& tensors);

enum class EmbeddingFormat {
  kJsonl,        // a line a row: {"id": ..., "embedding": [...]}, the id where the text had one
  kNpy,          // one array [rows, dims] (numpy.load)
  kSafetensors,  // the same under the name "embeddings"
};

/// By the suffix of the path: .jsonl, .npy, .safetensors; kInvalidArgument otherwise.
EmbeddingFormat embedding_format(std::string_view path);

/// A row's name in JSONL: the key ("_id") and its value as JSON; an empty key for none.
struct RowId {
  std::string key, json;
};

struct EmbeddingChunk {
  std::vector<float> rows;  // row-major [n, dims]
  std::vector<RowId> ids;   // n of them, or none
};

/// Fills the chunk with the next rows; false when there are no more.
using NextEmbeddings = std::function<bool(EmbeddingChunk& chunk)>;

/// Writes all chunks in the format that the path's suffix names, converted to `type`
/// (convert_embeddings). Memory: one chunk; kInt8 and kUint8, whose scale needs all rows, keep them
/// in a temporary file. An exception from `next` leaves no file. Errors: kIo.
void write_embeddings(const std::string& path, std::size_t dims, EmbeddingType type,
                      const NextEmbeddings& next);

/// The same as JSONL into a stream; flushed after every chunk.
void write_embeddings_jsonl(std::ostream& out, std::size_t dims, EmbeddingType type,
                            const NextEmbeddings& next);

}  // namespace octavo
