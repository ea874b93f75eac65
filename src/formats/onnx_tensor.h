// Decodes ONNX TensorProto messages: raw bytes, typed lists, and data in files beside the model.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "base/file_mapping.h"
#include "base/memory_budget.h"
#include "formats/onnx_model.h"
#include "formats/protobuf_wire.h"
#include "tensor/tensor_store.h"

namespace octavo::formats {

class OnnxTensorReader {
 public:
  /// `source` holds the bytes that messages point into; tensors become views of it where their
  /// alignment allows, else copies, in `store` where there is one. `directory` is where external
  /// data may lie; without one, external data is refused.
  OnnxTensorReader(std::shared_ptr<const Buffer> source, std::optional<std::string> directory,
                   MemoryBudget& budget, FileAccess external = FileAccess::kCopy,
                   const TensorStore* store = nullptr)
      : source_(std::move(source)),
        directory_(std::move(directory)),
        budget_(budget),
        external_(external),
        store_(store) {}

  /// Throws Error(kInvalidFile), or kUnsupported for element types octavo cannot hold (strings,
  /// complex, float8, 2 bits). int4 and uint4 become int8 and uint8, see OnnxTensor::four_bits.
  OnnxTensor read(const WireMessage& message);
  /// Paths of the files that external data was read from so far.
  std::vector<std::string> external_files() const;

 private:
  struct Proto;

  Tensor from_raw(const WireMessage& message, const Proto& proto);
  Tensor from_list(const WireMessage& message, const Proto& proto);
  Tensor from_file(const WireMessage& message, const Proto& proto);
  Tensor unpack(const Proto& proto, const Buffer& file, const std::byte* packed);
  Tensor view(const Proto& proto, const std::shared_ptr<const Buffer>& storage, std::size_t offset);
  const std::shared_ptr<const Buffer>& external_file(const std::string& location,
                                                     std::string_view model);

  std::shared_ptr<const Buffer> source_;
  std::optional<std::string> directory_;
  MemoryBudget& budget_;
  FileAccess external_;
  const TensorStore* store_;
  std::map<std::string, std::shared_ptr<const Buffer>> files_;
  std::set<const Buffer*> unpacked_;  // files with 4-bit integers
};

}  // namespace octavo::formats
