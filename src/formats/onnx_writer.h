// Writes an OnnxModel as protobuf bytes. Tensors go into raw_data, so a file is limited to 2 GiB,
// as protobuf's are.
#pragma once

#include <iosfwd>
#include <string>

#include "formats/onnx_model.h"

namespace octavo::formats {

/// Throws Error(kUnsupported) for a model of 2 GiB or more.
void write_onnx(const OnnxModel& model, std::ostream& out);
/// The same into a file that is either whole or absent.
void write_onnx(const OnnxModel& model, const std::string& path);
std::string serialize_onnx(const OnnxModel& model);

}  // namespace octavo::formats
