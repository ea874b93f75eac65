#include "quant/quantize.h"

#include <algorithm>
#include <memory>
#include <sstream>

#include "exporters/onnx.h"
#include "formats/sha256.h"
#include "octavo/error.h"
#include "octavo/quantize.h"
#include "passes/expand_octavo.h"
#include "passes/fusions.h"
#include "quant/scale.h"
#include "quant/targets.h"
#include "tasks/calibration_texts.h"
#include "tasks/export_steps.h"
#include "tasks/quantize_study.h"
#include "tasks/write_model.h"

namespace octavo {
namespace {

constexpr std::int64_t kBlockedOpset = 21, kAxisOpset = 13, kBFloat16Opset = 13;

[[noreturn]] void refuse(std::string message, std::string place, std::string expected,
                         std::string found, std::string fix) {
  throw Error(ErrorCode::kInvalidArgument, {.message = std::move(message),
                                            .place = std::move(place),
                                            .expected = std::move(expected),
                                            .found = std::move(found),
                                            .fix = std::move(fix)});
}

/// What the recipe cannot be written at; what the model itself needs, the exporter says.
void check_opset(const QuantizeModelOptions& options) {
  if (options.opset == 0) return;
  tasks::check_opset(options.opset);
  const QuantizeOptions& s = options.scheme;
  const bool weights_alone = s.mode == QuantizeMode::kInt8 || s.mode == QuantizeMode::kInt4;
  const bool blocked = weights_alone && s.format == QuantizeFormat::kQdq;
  const std::string found = std::to_string(options.opset);
  if (blocked && options.opset < kBlockedOpset) {
    refuse("DequantizeLinear has no blocks before opset 21", "--opset", "21", found,
           "leave --opset out, or choose --format QOperator");
  }
  if (s.per_channel && s.format == QuantizeFormat::kQdq && options.opset < kAxisOpset) {
    refuse("DequantizeLinear has one scale before opset 13", "--opset", "13 or more", found,
           "leave --opset out, or choose --format QOperator");
  }
  if (s.mode == QuantizeMode::kBFloat16 && options.opset < kBFloat16Opset) {
    refuse("operators have no bfloat16 before opset 13", "--opset", "13 or more", found,
           "leave --opset out, or choose --mode float16");
  }
}

/// Texts and how many of them, for whatever needs them.
void check_calibration(const QuantizeModelOptions& options) {
  const CalibrationOptions& texts = options.calibration;
  if (texts.files.empty()) {
    const bool fixed = options.scheme.mode == QuantizeMode::kStatic;
    const auto [what, other] =
        fixed ? std::pair{"static quantisation needs texts to find ranges with",
                          "choose --mode dynamic"}
        : options.max_loss
            ? std::pair{"--max-loss needs texts to rank the products with", "leave --max-loss out"}
        : options.sensitivity ? std::pair{"--sensitivity needs texts to measure the products with",
                                          "leave --sensitivity out"}
                              : std::pair{"--smooth-quant needs texts to find its factors with",
                                          "leave --smooth-quant out"};
    refuse(what, "--calibration", "a file with a text a line, JSONL, or a BEIR directory", "none",
           std::string("name it with --calibration FILE, or ") + other);
  }
  if (texts.samples >= tasks::kFewestSamples) return;
  refuse("so few texts say little of what a model meets", "--samples",
         std::to_string(tasks::kFewestSamples) + " or more", std::to_string(texts.samples),
         "leave it out for 128");
}

/// What would be found out only after texts were run through the model.
void check_study_options(const QuantizeModelOptions& options) {
  const auto is_share = [](double value) { return value >= 0 && value <= 1; };
  if (options.max_loss && !is_share(*options.max_loss)) {
    refuse("the loss budget makes no sense", "--max-loss", "0% to 100%",
           std::to_string(*options.max_loss * 100) + "%", "half a per cent is --max-loss 0.5%");
  }
  if (options.smooth_alpha && !is_share(*options.smooth_alpha)) {
    refuse("alpha of SmoothQuant is out of range", "--smooth-quant", "a number in 0 to 1",
           std::to_string(*options.smooth_alpha), "begin with 0.5, or say search");
  }
}

std::map<std::string, std::string> recipe(const QuantizeModelOptions& options,
                                          const QuantizeResult& result) {
  const QuantizeOptions& s = options.scheme;
  const auto truth = [](bool value) { return std::string(value ? "true" : "false"); };
  std::map<std::string, std::string> out{{"mode", std::string(quantize_mode_name(s.mode))},
                                         {"level", std::to_string(options.level)},
                                         {"opset", std::to_string(result.opset)},
                                         {"tables", std::string(quantized_tables_name(s.tables))}};
  const bool integer = s.mode == QuantizeMode::kDynamic || s.mode == QuantizeMode::kStatic;
  if (integer) {
    out["weight_type"] = quantized_type_name(s.weight_type);
    out["activation_type"] = quantized_type_name(s.activation_type);
    out["weight_symmetric"] = truth(quant::weight_scheme(s).symmetric);
    out["activation_symmetric"] = truth(s.activation_symmetric);
    out["per_channel"] = truth(s.per_channel);
    out["reduce_range"] = truth(s.reduce_range);
  }
  const bool half = s.mode == QuantizeMode::kFloat16 || s.mode == QuantizeMode::kBFloat16;
  if (half) {
    out.erase("tables");
    out["keep_io_types"] = truth(s.keep_io_types);
    if (s.blocked_ops) out["keep_float"] = tasks::joined(*s.blocked_ops);
  } else {
    out["format"] = quantize_format_name(s.format);
  }
  if (s.mode == QuantizeMode::kInt8 || s.mode == QuantizeMode::kInt4) {
    out["block_size"] = std::to_string(s.block_size);
    out["weight_symmetric"] = truth(s.weight_symmetric.value_or(true));
    if (s.accuracy_level != 0) out["accuracy_level"] = std::to_string(s.accuracy_level);
  }
  if (s.mode == QuantizeMode::kOctavo) out["precision"] = "int8";
  if (s.mode == QuantizeMode::kStatic) {
    out["calibration"] = options.calibration.method;
    out["calibration_samples"] = std::to_string(result.calibration_samples);
    out["calibration_most_samples"] = std::to_string(options.calibration.samples);
    out["calibration_max_length"] = std::to_string(options.calibration.max_length);
    if (options.calibration.percentile)
      out["percentile"] = std::to_string(*options.calibration.percentile);
    out["quantize_outputs"] = truth(s.quantize_outputs || s.format == QuantizeFormat::kQOperator);
  }
  if (needs_calibration_texts(options))
    out["calibration_texts"] = tasks::calibration_sources(options.calibration);
  if (result.smooth_alpha) out["smooth_alpha"] = std::to_string(*result.smooth_alpha);
  if (options.max_loss) {
    out["max_loss"] = std::to_string(*options.max_loss);
    out["ranked_by"] = sensitivity_metric_name(options.sensitivity_metric);
  }
  if (!s.exclude.empty()) out["exclude"] = tasks::joined(s.exclude);
  if (!result.gate_excluded.empty()) out["gate_exclude"] = tasks::joined(result.gate_excluded);
  if (!s.exclude_ops.empty()) out["exclude_ops"] = tasks::joined(s.exclude_ops);
  return out;
}

/// Static QDQ with a scale a channel has one zero point whatever is asked for, as onnxruntime's
/// QDQQuantizer has it. The library below can write several, which measuring QOperator needs.
QuantizeModelOptions settled(QuantizeModelOptions options, QuantizeResult& result) {
  QuantizeOptions& s = options.scheme;
  if (s.mode == QuantizeMode::kStatic && s.format == QuantizeFormat::kQdq && s.per_channel &&
      !s.weight_symmetric.value_or(true)) {
    s.weight_symmetric.reset();
    result.remarks.push_back(
        "weights are symmetric although --asymmetric was said: static QDQ with a scale a channel "
        "has one zero point, as in onnxruntime's quantiser");
  }
  return options;
}

std::string clamping_remark(const ClampedWeights& clamped) {
  std::ostringstream largest;  // as people write it: 70000, 1e+08
  largest << clamped.largest;
  return std::to_string(clamped.count) + (clamped.count == 1 ? " weight is" : " weights are") +
         " beyond what float16 holds and became 65504 with the sign: the largest is " +
         largest.str() + " in '" + clamped.tensor + "', which " + clamped.op +
         " reads; --keep-float or --exclude keeps such nodes in float32";
}

using OutputShapes = std::vector<std::optional<std::vector<ir::Dim>>>;

OutputShapes shapes_of_outputs(const ir::Graph& graph) {
  OutputShapes out;
  for (const auto& output : graph.outputs()) out.push_back(graph.value(output.value).shape);
  return out;
}

/// Quantised nodes make new values; files have to say the shapes of the outputs.
void restore_shapes(ir::Graph& graph, const OutputShapes& shapes) {
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    ir::Value& output = graph.value(graph.outputs()[i].value);
    if (!output.shape) output.shape = shapes[i];
  }
}

/// The recipe and what was measured.
tasks::ModelRecord record_of(const tasks::ModelFiles& files, const tasks::ImportedModel& imported,
                             const QuantizeModelOptions& options, const QuantizeResult& result) {
  tasks::ModelRecord out =
      tasks::make_record(files, imported, {.verb = "quantize", .options = recipe(options, result)});
  out.sensitivity = result.sensitivity;
  if (!out.sensitivity.empty())
    out.sensitivity_metric = sensitivity_metric_name(options.sensitivity_metric);
  out.measured_on = result.measured_on;
  if (options.max_loss) {
    out.measured = {
        {"score", result.score}, {"baseline_score", result.baseline_score}, {"loss", result.loss}};
  }
  return out;
}

}  // namespace

QuantizeResult quantize_model(const std::string& model, const std::string& directory,
                              const QuantizeModelOptions& given) {
  check_quantize_options(given);
  check_study_options(given);
  QuantizeResult out;
  const QuantizeModelOptions options = settled(given, out);
  check_opset(options);
  if (needs_calibration_texts(options)) check_calibration(options);
  tasks::ExportJob job(model, tasks::write_options(directory, options));
  ir::Graph& graph = job.imported.graph;
  quant::refuse_quantised(graph);
  out.source_bytes = job.source_bytes;
  tasks::number_as_checkpoints_do(job.files, graph);
  tasks::stop_if_cancelled(job.write);
  const OutputShapes shapes = shapes_of_outputs(graph);
  if (options.level > 0)
    passes::optimize_graph(graph, {.level = options.level, .disabled = {}, .store = &job.store});
  passes::expand_octavo(graph);
  QuantizeOptions scheme = options.scheme;
  quant::Ranges ranges;
  if (needs_calibration_texts(options)) {
    const bool kept = !options.calibration.cache.empty() || !options.score_cache.empty();
    tasks::QuantizeStudy study(job.files, options,
                               kept ? formats::sha256_files(job.imported.files) : "");
    quant::prepare(graph, scheme, &job.store);
    study.smooth(graph, out);
    study.calibrate(graph, out);
    study.rank(graph, out);
    study.meet_budget(graph, scheme, out);
    ranges = study.ranges();
  }
  quant::QuantizeReport report = quant::quantize(graph, scheme, ranges, &job.store);
  restore_shapes(graph, shapes);
  out.nodes = std::move(report.nodes);
  out.quantized = report.quantized;
  out.clamped = report.clamped;
  if (out.clamped.count != 0) out.remarks.push_back(clamping_remark(out.clamped));
  formats::OnnxModel onnx = exporters::export_onnx(graph, {.opset = options.opset, .metadata = {}});
  out.opset = exporters::opset_of(onnx);
  out.written_nodes = onnx.graph.nodes.size();
  const tasks::ModelRecord record = record_of(job.files, job.imported, options, out);
  tasks::finish(job, std::move(onnx), record, out);
  return out;
}

}  // namespace octavo
