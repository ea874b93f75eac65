// The flags of octavo quantize, and the options that they mean.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "flags.h"
#include "octavo/quantize.h"

namespace octavo::cli {

/// What was said; flags that presets and aliases would say too are apart until resolve().
struct QuantizeFlags {
  std::string model, directory, parent_directory;  // one of the two
  std::optional<std::string> layout;
  std::optional<int> level;
  std::optional<std::string> mode, format, weight_type, activation_type, preset, alias, tables;
  std::optional<bool> per_channel, reduce_range, symmetric, activation_symmetric;
  std::vector<std::string> keep_float;
  std::optional<std::string> smooth, max_loss, metric;
  std::string data_set, report;
  PromptFlags prompts{};
  bool explain = false, skip_shape_inference = false;
  QuantizeModelOptions options{};
};

void add_quantize_flags(CLI::App& app, const Context& context, QuantizeFlags& flags);

/// Fills in flags.options, score functions apart. Error(kInvalidArgument) for what contradicts
/// itself.
void resolve(QuantizeFlags& flags);

}  // namespace octavo::cli
