// Reads safetensors files with exactly the rules of the format: a header of at most 100,000,000
// bytes that starts with
// '{', no duplicate keys, string-to-string metadata, and tensors that cover the data without holes
// or overlaps. https://github.com/huggingface/safetensors#format
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "tensor/tensor.h"

namespace octavo::formats {

struct TensorInfo {
  std::string name;
  DType dtype = DType::kFloat32;
  Shape shape;
  std::size_t begin = 0, end = 0;  // bytes, from the start of the data (after the header)
};

/// What a header says; `data_start` is the file offset of the data.
struct SafetensorsHeader {
  std::vector<TensorInfo> tensors;  // in the order of their data
  std::map<std::string, std::string> metadata;
  std::size_t data_start = 0;
};

/// Parses the beginning of a file (the 8-byte length and the header, at least; more is not looked
/// at) of `file_bytes` in all. Throws Error(kInvalidFile), or kUnsupported for an element type that
/// octavo cannot hold.
SafetensorsHeader parse_safetensors(std::span<const std::byte> beginning, std::size_t file_bytes,
                                    std::string_view file);

class SafetensorsFile {
 public:
  /// Reads and checks the header. Throws Error.
  static SafetensorsFile open(const std::string& path);
  static SafetensorsFile open(FileDescriptor file, const std::string& path);

  const std::string& path() const { return path_; }
  const std::vector<TensorInfo>& tensors() const { return header_.tensors; }
  const std::map<std::string, std::string>& metadata() const { return header_.metadata; }

  /// Nothing (nullptr) when there is no such tensor; valid while this object lives.
  const TensorInfo* find(std::string_view name) const;
  /// Tensors are views of the mapped file from now on, which they keep alive.
  void map();
  /// A copy of the tensor's bytes; nothing depends on the file afterwards, unless map() was called.
  /// Throws Error(kNotFound) for an unknown name.
  Tensor read(std::string_view name) const;

 private:
  SafetensorsFile(FileDescriptor file, std::string path, SafetensorsHeader header);

  FileDescriptor file_;
  std::shared_ptr<const Buffer> mapped_;
  std::string path_;
  SafetensorsHeader header_;
  std::vector<std::uint32_t> by_name_;
};

/// The format's name of a type ("F32").
std::string_view safetensors_dtype_name(DType dtype);

}  // namespace octavo::formats
