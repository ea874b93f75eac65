// How to run a model: shared by every class that runs one.
#pragma once

#include <string>

namespace octavo {

struct RuntimeOptions {
  int threads = 0;             // 0: every core this process may use
  std::string isa = "native";  // "native", "portable", or a list such as "avx2,avx512"
  /// What to compute in: "fp32", "bf16", "fp16", "int8"; "auto" is what the model asks for: its
  /// record (octavo's own int8 files say int8), or int8 where an ONNX file rounds activations to 8
  /// bits, but for the products that it leaves in float; else fp32. Where the graph has no packed
  /// form, only "auto" and "fp32" can be had.
  std::string precision = "auto";
  /// Runs a quantised file exactly as it says, as onnxruntime does: activations are rounded with
  /// one scale a tensor where the file rounds them, node by node and one sequence at a time.
  /// Slower, and `precision` must be "auto" or "fp32". Model::run() takes the batch as it is.
  bool reference = false;
  /// A directory where plans with their packed weights are kept, so that the next start maps them
  /// instead of reading and packing the model; empty: nowhere. Files in it may be removed at any
  /// time; beyond 8 GiB in all the one that was used longest ago goes.
  std::string plan_cache{};
};

}  // namespace octavo
