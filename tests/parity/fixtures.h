// Where the test data lies, and comparisons that the parity tests share.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "formats/safetensors.h"
#include "octavo/model.h"

namespace octavo::parity {

inline std::string data_folder() { return "tests/data"; }  // of this repository

/// ../shared, or $OCTAVO_SHARED: data sets and the goldens that are not copied.
inline std::string shared_folder() {
  const char* named = std::getenv("OCTAVO_SHARED");
  return named != nullptr ? named : "../shared";
}

/// What scripts/fetch_models filled.
inline std::string models_folder() {
  if (const char* named = std::getenv("OCTAVO_MODELS")) return named;
  const char* home = std::getenv("HOME");
  return std::string(home != nullptr ? home : ".") + "/.cache/octavo/models";
}

/// Skips a test, audibly, when `path` is absent; fails it in CI.
#define OCTAVO_NEED(path)                                             \
  if (!std::filesystem::exists(path)) {                               \
    if (std::getenv("CI") != nullptr) FAIL() << "absent: " << (path); \
    GTEST_SKIP() << "left out: " << (path) << " is absent";           \
  }

inline NamedTensor named(const formats::SafetensorsFile& file, const std::string& name) {
  const Tensor tensor = file.read(name);
  NamedTensor out{.name = name,
                  .dtype = std::string(dtype_name(tensor.dtype())),
                  .shape = tensor.shape(),
                  .data = {}};
  out.data.assign(tensor.bytes(), tensor.bytes() + tensor.byte_size());
  return out;
}

inline std::vector<NamedTensor> golden_inputs(const formats::SafetensorsFile& file) {
  std::vector<NamedTensor> out;
  for (const char* name : {"input_ids", "attention_mask", "token_type_ids"}) {
    if (file.find(name) != nullptr) out.push_back(named(file, name));
  }
  return out;
}

inline std::vector<float> floats(const NamedTensor& tensor) {
  std::vector<float> out(tensor.data.size() / sizeof(float));
  std::memcpy(out.data(), tensor.data.data(), out.size() * sizeof(float));
  return out;
}

/// Largest absolute difference to the golden output, over the rows where attention_mask is 1; NaN
/// counts as infinite.
inline double golden_error(const std::vector<NamedTensor>& outputs,
                           const formats::SafetensorsFile& expected) {
  const std::string name = expected.find("logits") != nullptr ? "logits" : "last_hidden_state";
  const Tensor wanted = expected.read(name).to_float32();
  const std::vector<std::int64_t> mask = expected.read("attention_mask").to_int64s();
  for (const NamedTensor& output : outputs) {
    if (output.name != name) continue;
    EXPECT_EQ(output.shape, wanted.shape());
    const std::vector<float> got = floats(output);
    const bool tokens = wanted.rank() == 3;
    double worst = 0;
    for (std::size_t i = 0; i < wanted.elements(); ++i) {
      if (tokens && mask[i / static_cast<std::size_t>(wanted.dim(2))] == 0) continue;
      const double difference =
          std::abs(static_cast<double>(got[i]) - static_cast<double>(wanted.data<float>()[i]));
      worst = std::max(worst, std::isnan(difference) ? INFINITY : difference);
    }
    return worst;
  }
  ADD_FAILURE() << "no output named " << name;
  return INFINITY;
}

}  // namespace octavo::parity
