// Writes safetensors files as the reference implementation does: tensors ordered by falling
// alignment of their type, then by name; header padded with spaces to 8 bytes.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tensor/tensor.h"

namespace octavo::formats {

struct NamedTensor {
  std::string name;
  Tensor tensor;
};

/// The file is either whole or absent. Throws Error(kInvalidArgument) when two tensors have the
/// same name, kIo when the system refuses.
void write_safetensors(const std::string& path, const std::vector<NamedTensor>& tensors,
                       const std::map<std::string, std::string>& metadata = {});

}  // namespace octavo::formats
