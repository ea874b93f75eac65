// Reads ONNX models (IR version 3 to 13) from their protobuf bytes. Memory stays within twice the
// files and 16 MiB whatever the bytes say, which generated protobuf classes cannot promise. Unknown
// fields are skipped, as protobuf asks; documentation strings, node metadata, training and
// quantization annotations are not kept.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/buffer.h"
#include "base/file_mapping.h"
#include "formats/onnx_model.h"
#include "tensor/tensor_store.h"

namespace octavo::formats {

/// The model in a file; external data is looked for below the file's directory. Mapped, tensors
/// are views of the files where their alignment allows, and keep these alive; else copies, in
/// `store` where there is one. Throws Error.
OnnxModel read_onnx(const std::string& path, FileAccess access = FileAccess::kCopy,
                    const TensorStore* store = nullptr);

/// The model in `bytes`; `file` names it in errors. External data is refused without a `directory`.
OnnxModel parse_onnx(std::shared_ptr<const Buffer> bytes, const std::string& file,
                     std::optional<std::string> directory = std::nullopt,
                     FileAccess external = FileAccess::kCopy, const TensorStore* store = nullptr);

/// A bare TensorProto, as in the .pb files of ONNX's test data.
OnnxTensor parse_onnx_tensor(std::shared_ptr<const Buffer> bytes, const std::string& file);

}  // namespace octavo::formats
