#include "tasks/model_record.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "formats/onnx_scan.h"
#include "formats/sha256.h"
#include "octavo/error.h"
#include "octavo/model_record.h"

namespace octavo::tasks {
namespace {

constexpr std::int64_t kFormat = 1;
constexpr const char* kMeasuredOn = "on";  // among the figures of "measured"

std::string source_name(const std::string& path) {
  std::filesystem::path name = std::filesystem::absolute(path).lexically_normal();
  if (!name.has_filename()) name = name.parent_path();
  return name.filename().string();
}

/// Throws for figures that no measurement gives.
void check(const LayerSensitivity& layer, std::size_t layers) {
  constexpr double kMost = 1 + 1e-6, kMostDecibels = 200;
  const double loss = layer.score_loss.value_or(0);
  if (std::abs(layer.cosine) <= kMost && std::abs(layer.sqnr_db) <= kMostDecibels &&
      layer.place < layers && std::isfinite(loss) && loss <= kMost) {
    return;
  }
  throw Error(
      ErrorCode::kInvalidFile,
      {.message = "a layer of the record has a figure that cannot be",
       .place = layer.node,
       .expected = "a cosine, a place among the layers, at most 200 dB, a loss of at most 1",
       .fix = "quantise the model again"});
}

}  // namespace

std::string ModelRecord::to_json(int indent) const {
  nlohmann::ordered_json steps = nlohmann::ordered_json::array();
  for (const RecipeStep& step : recipe)
    steps.push_back({{"verb", step.verb}, {"options", step.options}});
  nlohmann::ordered_json out{{"format", kFormat},
                             {"tool_version", tool_version},
                             {"source", source},
                             {"source_sha256", source_digest},
                             {"source_files", source_files},
                             {"recipe", std::move(steps)}};
  out["measured"] = nlohmann::ordered_json::object();
  for (const auto& [name, value] : measured) out["measured"][name] = value;
  if (!measured_on.empty()) out["measured"][kMeasuredOn] = measured_on;
  if (!sensitivity.empty()) {
    nlohmann::ordered_json layers = nlohmann::ordered_json::array();
    for (const LayerSensitivity& layer : sensitivity) {
      nlohmann::ordered_json& added =
          layers.emplace_back(nlohmann::ordered_json{{"node", layer.node},
                                                     {"place", layer.place},
                                                     {"cosine", layer.cosine},
                                                     {"sqnr_db", layer.sqnr_db}});
      if (layer.score_loss) added["score_loss"] = *layer.score_loss;
    }
    out["sensitivity"] = {{"metric", sensitivity_metric}, {"layers", std::move(layers)}};
  }
  return out.dump(indent, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

ModelRecord ModelRecord::from_json(const std::string& text) {
  const JsonDocument document = JsonDocument::parse(text, kRecordKey);
  const JsonValue root = document.root();
  ModelRecord out{.tool_version = root.string_or("tool_version", ""),
                  .source = root.string_or("source", ""),
                  .source_digest = root.string_or("source_sha256", "")};
  if (const auto files = root.get("source_files")) {
    for (const JsonValue file : files->elements()) out.source_files.emplace_back(file.as_string());
  }
  for (const JsonValue step : root.at("recipe").elements()) {
    RecipeStep& added = out.recipe.emplace_back();
    added.verb = step.at("verb").as_string();
    for (const auto& [name, value] : step.at("options").members())
      added.options.emplace(name, value.as_string());
  }
  if (const auto measured = root.get("measured")) {
    for (const auto& [name, value] : measured->members()) {
      if (name != kMeasuredOn) {
        out.measured.emplace(name, value.as_double());
        continue;
      }
      for (const auto& [what, said] : value.members())
        out.measured_on.emplace(what, said.as_string());
    }
  }
  if (const auto sensitivity = root.get("sensitivity")) {
    out.sensitivity_metric = sensitivity->string_or("metric", "");
    for (const JsonValue layer : sensitivity->at("layers").elements()) {
      LayerSensitivity& added = out.sensitivity.emplace_back();
      added.node = layer.at("node").as_string();
      added.cosine = layer.at("cosine").as_double();
      added.sqnr_db = layer.at("sqnr_db").as_double();
      added.place = static_cast<std::size_t>(layer.int_or("place", 0));
      if (const auto loss = layer.get("score_loss")) added.score_loss = loss->as_double();
    }
    for (const LayerSensitivity& layer : out.sensitivity) check(layer, out.sensitivity.size());
  }
  return out;
}

std::optional<ModelRecord> find_record(const ModelFiles& model) {
  if (!model.onnx) return std::nullopt;
  try {
    const auto metadata = formats::read_onnx_metadata(model.weights);
    const auto found = metadata.find(kRecordKey);
    if (found == metadata.end()) return std::nullopt;
    return ModelRecord::from_json(found->second);
  } catch (const Error&) {
    return std::nullopt;  // somebody else's key; what is damaged the import will tell
  }
}

namespace {

/// Whether a node turns floats that are computed into 8-bit integers.
bool rounds_activations(const std::string& path) {
  constexpr std::int64_t kUint8 = 2, kInt8 = 3;  // TensorProto.DataType
  const auto eight_bits = [](std::int64_t type) { return type == kUint8 || type == kInt8; };
  try {
    const formats::OnnxOutline graph = formats::read_onnx_outline(path);
    return std::ranges::any_of(graph.nodes, [&](const formats::OnnxOutline::Node& node) {
      if (node.op_type == "DynamicQuantizeLinear" || node.op_type == "DynamicQuantizeMatMul" ||
          node.op_type == "QAttention") {
        return true;
      }
      if (node.op_type != "QuantizeLinear" || node.inputs.empty()) return false;
      if (graph.initializers.contains(node.inputs[0])) return false;
      const auto zero = node.inputs.size() < 3 ? graph.initializers.end()
                                               : graph.initializers.find(node.inputs[2]);
      if (zero != graph.initializers.end()) return eight_bits(zero->second);
      const auto type = node.numbers.find("output_dtype");
      return type == node.numbers.end() || type->second == 0 || eight_bits(type->second);
    });
  } catch (const Error&) {
    return false;  // the import will tell
  }
}

}  // namespace

std::string asked_precision(const ModelFiles& model) {
  std::string out;
  if (const auto record = find_record(model)) {
    for (const RecipeStep& step : record->recipe) {
      const auto said = step.options.find("precision");
      if (said != step.options.end()) out = said->second;
    }
  }
  if (out.empty() && model.onnx && rounds_activations(model.weights)) out = "int8";
  return out;
}

ModelRecord make_record(const ModelFiles& source, const ImportedModel& imported, RecipeStep step) {
  ModelRecord out;
  const auto found = imported.metadata.find(kRecordKey);
  if (found != imported.metadata.end()) {
    try {
      out = ModelRecord::from_json(found->second);
      out.measured.clear();
      out.measured_on.clear();
      out.sensitivity.clear();
      out.sensitivity_metric.clear();
    } catch (const Error&) {
      out = {};  // somebody else's key: the model's history begins anew
    }
  }
  if (out.recipe.empty()) {
    out.source = source_name(source.path);
    out.source_digest = imported.files.size() == 1 ? formats::sha256_file(imported.files.front())
                                                   : formats::sha256_files(imported.files);
    out.source_files.clear();
    for (const std::string& file : imported.files)
      out.source_files.push_back(std::filesystem::path(file).filename().string());
  }
  out.tool_version = std::string("octavo ") + OCTAVO_VERSION;
  out.recipe.push_back(std::move(step));
  return out;
}

}  // namespace octavo::tasks

namespace octavo {

std::string model_record(const std::string& model) {
  const auto record = tasks::find_record(tasks::find_model(model));
  return record ? record->to_json() : std::string();
}

}  // namespace octavo
