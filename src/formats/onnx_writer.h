// Writes an OnnxModel as protobuf bytes. Tensors go into raw_data or, as files of protobuf end at
// 2 GiB, into one data file beside the model.
#pragma once

#include <cstddef>
#include <iosfwd>
#include <string>

#include "formats/onnx_model.h"

namespace octavo::formats {

struct OnnxWriteOptions {
  /// Initializers of 1 KiB and more go into `<path>_data` (Hugging Face's name), each at a multiple
  /// of 4096 bytes. Without the flag that happens only where the model would reach 2 GiB.
  bool external_data = false;
};

struct OnnxWritten {
  std::string data_path;  // of the external data; empty where there is none
  std::size_t bytes = 0;  // of the model file
  std::size_t data_bytes = 0;
};

/// Everything in one stream. Throws Error(kUnsupported) for a model of 2 GiB or more.
void write_onnx(const OnnxModel& model, std::ostream& out);
/// The same into a file that is either whole or absent. External data is whole and in its place
/// before the model that names it.
OnnxWritten write_onnx(const OnnxModel& model, const std::string& path,
                       const OnnxWriteOptions& options = {});
std::string serialize_onnx(const OnnxModel& model);

}  // namespace octavo::formats
