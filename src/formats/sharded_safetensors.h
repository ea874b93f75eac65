// The weights of a Hugging Face directory as one source of named tensors: `model.safetensors`, or
// the shards that `model.safetensors.index.json` names.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "formats/safetensors.h"
#include "tensor/tensor_store.h"

namespace octavo::formats {

class TensorSource {
 public:
  /// Finds the weights in `directory` and checks all headers. Errors: no weights (kNotFound), a
  /// shard that is missing, has a name that is not a plain file name, lacks a tensor the index
  /// promises, or holds one that another shard has too. Tensors of a shard that the index does not
  /// name are not seen.
  static TensorSource open(const std::string& directory);
  /// One safetensors file.
  static TensorSource open_file(const std::string& path);

  /// Sorted.
  std::vector<std::string> names() const;
  std::size_t size() const { return tensors_.size(); }
  bool has(std::string_view name) const { return tensors_.contains(name); }
  /// Throws Error(kNotFound) for an unknown name.
  const TensorInfo& info(std::string_view name) const;
  /// What read() gives are views of the mapped files from now on, and what read_float32() makes
  /// lies in `store` where there is one, which outlives this.
  void map(const TensorStore* store = nullptr);
  /// A copy that does not depend on the files, unless map() was called.
  Tensor read(std::string_view name) const;
  /// read() as float32.
  Tensor read_float32(std::string_view name) const;
  /// The file that holds a tensor; for messages.
  const std::string& file_of(std::string_view name) const;
  /// The files the tensors come from, in index order; for digests and messages.
  std::vector<std::string> files() const;

 private:
  struct Entry {
    const SafetensorsFile* file;
    const TensorInfo* info;
  };
  const Entry& entry(std::string_view name) const;

  std::string path_;  // what was opened, for messages
  std::vector<std::unique_ptr<SafetensorsFile>> files_;
  std::map<std::string_view, Entry> tensors_;  // keys live in the infos
  const TensorStore* store_ = nullptr;
};

}  // namespace octavo::formats
