// The record that every model octavo writes carries: what it was made from, how, by which version,
// and what was measured of it. As JSON in metadata_props of the model and in octavo.json beside it;
// `octavo inspect` shows it.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "formats/onnx_model.h"
#include "octavo/quantize.h"
#include "tasks/model_files.h"

namespace octavo::tasks {

/// The key of metadata_props.
inline constexpr const char* kRecordKey = "octavo.record";
/// The file beside the model.
inline constexpr const char* kRecordFile = "octavo.json";

/// One verb that was applied: "quantize" with {"mode": "dynamic", "per_channel": "true"}.
struct RecipeStep {
  std::string verb;
  std::map<std::string, std::string> options{};
};

struct ModelRecord {
  std::string tool_version{};  // "octavo 0.1.0"
  std::string source{};        // name of the file or directory that the first step read
  /// SHA-256: of the file, where `source_files` names one; else of the files' digests in that
  /// order, in hexadecimal, each with a newline. Records of octavo 0.1 without names: the latter.
  std::string source_digest{};
  std::vector<std::string> source_files{};   // names of the files that were read
  std::vector<RecipeStep> recipe{};          // in their order
  std::map<std::string, double> measured{};  // "max_error", "ndcg_at_10_loss": of the last step
  std::map<std::string, std::string> measured_on{};  // "data_set", "split", "pooling" ...
  std::vector<LayerSensitivity> sensitivity{};       // of the last step, the worst first; or none
  std::string sensitivity_metric{};                  // that ranks it

  /// One line of JSON without an indent, else several.
  std::string to_json(int indent = -1) const;
  /// Throws Error(kInvalidFile) for a text that is no record.
  static ModelRecord from_json(const std::string& text);
};

/// The record that an ONNX model carries, cheaply however large it is; nothing for others.
std::optional<ModelRecord> find_record(const ModelFiles& model);

/// What the model asks to be computed in: what the last step of its record says that says it, or
/// "int8" where the file rounds activations to 8 bits; else empty.
std::string asked_precision(const ModelFiles& model);

/// The record of a model made from `source` by `step`. Where the source has a record itself
/// (`metadata` are its metadata_props), its origin and recipe are kept and the step is added.
/// Reads the source's files for the digest.
ModelRecord make_record(const ModelFiles& source, const ImportedModel& imported, RecipeStep step);

}  // namespace octavo::tasks
