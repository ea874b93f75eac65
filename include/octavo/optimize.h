// Graph optimisation for other engines: a model with fewer and larger operators, as an ONNX file
// that onnxruntime loads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace octavo {

struct OptimizeOptions {
  /// 0: as imported. 1: constants, identities, equal nodes, dead nodes and shapes;
  /// LayerNormalization and Gelu from their parts. 2: the fused operators of onnxruntime
  /// (com.microsoft). 99: everything that changes no result beyond rounding.
  int level = 2;
  std::vector<std::string> disabled{};   // names of passes that are left out
  std::int64_t opset = 0;                // 11 to 21; 0: 17, or 21 where the model needs it
  std::string file_name = "model.onnx";  // in the output directory
  bool force = false;                    // replace files of an output directory that holds some
  bool external_data = false;            // weights into a file of their own
  /// Asked now and then; true ends the work with kCancelled and nothing written.
  std::function<bool()> cancelled{};
};

/// What a pass did.
struct OptimizePass {
  std::string name;
  std::size_t fired = 0;  // rewrites
  double seconds = 0;
  std::vector<std::string> near_misses;  // "where: why not"
};

struct OptimizeResult {
  std::string path;                         // of the model that was written
  std::vector<std::string> files;           // all that were written, relative to the directory
  std::size_t source_bytes = 0, bytes = 0;  // of the model's weights file, before and after
  std::map<std::string, std::size_t>
      ops_before;                                // nodes by type as read, "com.microsoft.Attention"
  std::map<std::string, std::size_t> ops_after;  // as written
  std::vector<OptimizePass> passes;
  std::int64_t opset = 0;
};

/// Levels by name: "0", "1", "2", "99", and "O1" and "O2", which are 1 and 2. Throws
/// Error(kInvalidArgument) for others; it says why O3 and O4 are no levels.
int parse_optimize_level(std::string_view name);

/// The names that OptimizeOptions::disabled may hold, in the order they run.
std::vector<std::string> optimize_pass_names();

/// Writes the optimised model into `directory`, with its tokenizer and config files. Outputs stay
/// what they were at kept tokens, beyond rounding. Throws as Model::load(), kInvalidArgument for a
/// pass that does not exist or an output directory that cannot be used, kUnsupported where the
/// opset cannot say what the model computes.
OptimizeResult optimize_model(const std::string& model, const std::string& directory,
                              const OptimizeOptions& options = {});

}  // namespace octavo
