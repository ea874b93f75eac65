// Names of quantisation options, presets of processors, and which options contradict each other.
#include <algorithm>
#include <array>
#include <utility>

#include "octavo/error.h"
#include "octavo/quantize.h"

namespace octavo {
namespace {

template <typename T, std::size_t N>
T parse(const std::array<std::pair<std::string_view, T>, N>& names, std::string_view name,
        const char* what) {
  std::string all;
  for (const auto& [known, value] : names) {
    if (known == name) return value;
    all += (all.empty() ? "" : ", ") + std::string(known);
  }
  throw Error(ErrorCode::kInvalidArgument, {.message = std::string("unknown ") + what,
                                            .expected = all,
                                            .found = "'" + std::string(name) + "'"});
}

template <typename T, std::size_t N>
std::string_view name_of(const std::array<std::pair<std::string_view, T>, N>& names, T value) {
  for (const auto& [known, its] : names) {
    if (its == value) return known;
  }
  return "unknown";
}

using Mode = QuantizeMode;
constexpr std::array<std::pair<std::string_view, Mode>, 7> kModes{{{"octavo", Mode::kOctavo},
                                                                   {"dynamic", Mode::kDynamic},
                                                                   {"static", Mode::kStatic},
                                                                   {"float16", Mode::kFloat16},
                                                                   {"bfloat16", Mode::kBFloat16},
                                                                   {"int8", Mode::kInt8},
                                                                   {"int4", Mode::kInt4}}};
constexpr std::array<std::pair<std::string_view, QuantizeFormat>, 2> kFormats{
    {{"QOperator", QuantizeFormat::kQOperator}, {"QDQ", QuantizeFormat::kQdq}}};
constexpr std::array<std::pair<std::string_view, QuantizedType>, 2> kTypes{
    {{"QInt8", QuantizedType::kInt8}, {"QUInt8", QuantizedType::kUInt8}}};
constexpr std::array<std::pair<std::string_view, QuantizedTables>, 3> kTables{
    {{"rows", QuantizedTables::kRows},
     {"tensor", QuantizedTables::kTensor},
     {"float", QuantizedTables::kFloat}}};
constexpr std::array<std::pair<std::string_view, SensitivityMetric>, 3> kMetrics{
    {{"sqnr", SensitivityMetric::kSqnr},
     {"cosine", SensitivityMetric::kCosine},
     {"ndcg", SensitivityMetric::kNdcg}}};

[[noreturn]] void conflict(std::string message, std::string expected, std::string fix) {
  throw Error(
      ErrorCode::kInvalidArgument,
      {.message = std::move(message), .expected = std::move(expected), .fix = std::move(fix)});
}

/// An option beside others that leave nothing to read it. What is usual cannot be told from what
/// was not said, unless it is among the options that were named.
void refuse_silent_options(const QuantizeModelOptions& all) {
  struct Option {
    const char* name;
    bool unusual, read;
    const char *readers, *fix;
    std::string where{};             // instead of the mode
    const char* opposite = nullptr;  // what was said, where that is another word
  };
  constexpr const char *kIntegers = "mode dynamic or static", *kBlocks = "mode int8 or int4",
                       *kFloats = "mode float16 or bfloat16", *kStatic = "mode static",
                       *kAnyIntegers = "a mode with integers",
                       *kOther = "leave it out, or choose another mode", *kOut = "leave it out",
                       *kTexts = "mode static, --smooth-quant, --sensitivity or --max-loss",
                       *kScores = "--max-loss or --sensitivity-metric ndcg",
                       *kMeasure = "leave it out; octavo compare tells what the whole model lost";
  const QuantizeModelOptions usual_all;
  const QuantizeOptions &o = all.scheme, &usual = usual_all.scheme;
  const CalibrationOptions &texts = all.calibration, &usual_texts = usual_all.calibration;
  const bool fixed = o.mode == Mode::kStatic, integers = o.mode == Mode::kDynamic || fixed;
  const bool blocks = o.mode == Mode::kInt8 || o.mode == Mode::kInt4;
  const bool half = o.mode == Mode::kFloat16, floats = half || o.mode == Mode::kBFloat16;
  const bool smooth = all.smooth_alpha || all.smooth_search;
  const bool study = needs_calibration_texts(all);
  const bool scored =
      all.max_loss || (all.sensitivity && all.sensitivity_metric == SensitivityMetric::kNdcg);
  const bool symmetric = o.weight_symmetric.value_or(true);
  const bool qdq = o.format == QuantizeFormat::kQdq;
  const Option options[] = {
      {"--per-channel", o.per_channel, integers, kIntegers,
       o.mode == Mode::kOctavo ? "leave it out: weights have a scale a channel anyway" : kOther, "",
       o.per_channel ? nullptr : "--no-per-channel"},
      {"--reduce-range", o.reduce_range, integers, kIntegers, kOther, "",
       o.reduce_range ? nullptr : "--no-reduce-range"},
      {"--weight-type", o.weight_type != usual.weight_type, integers, kIntegers,
       blocks ? "choose --asymmetric for blocks with a zero point" : kOther},
      {"--symmetric", !symmetric, integers || blocks, "mode dynamic, static, int8 or int4", kOther,
       "", symmetric ? nullptr : "--asymmetric"},
      {"--activation-type", o.activation_type != usual.activation_type, integers, kIntegers,
       kOther},
      {"--activation-symmetric", o.activation_symmetric, integers, kIntegers, kOther},
      {"--tables", o.tables != usual.tables, !floats, kAnyIntegers, kOther},
      {"--format", o.format != usual.format, !floats, kAnyIntegers, kOther},
      {"--quantize-outputs", o.quantize_outputs, fixed, kStatic, kOther},
      {"--block-size", o.block_size != usual.block_size, blocks, kBlocks, kOther},
      {"--accuracy-level", o.accuracy_level != usual.accuracy_level, blocks, kBlocks, kOther},
      {"--accuracy-level", o.accuracy_level != usual.accuracy_level, !qdq, "format QOperator",
       "leave it out: only MatMulNBits has one", "with --format QDQ"},
      {"--keep-float", o.blocked_ops.has_value(), floats, kFloats, kOther},
      {"--keep-io-types", !o.keep_io_types, half, "mode float16", kOther, "",
       o.keep_io_types ? nullptr : "--no-keep-io-types"},
      {"--smooth-quant", smooth, !floats, kAnyIntegers, kOther},
      {"--sensitivity", all.sensitivity, !half, "a mode that quantises products", kMeasure},
      {"--max-loss", all.max_loss.has_value(), !half, "a mode that quantises products", kMeasure},
      {"--calibration", !texts.files.empty(), study, kTexts, kOther},
      {"--samples", texts.samples != usual_texts.samples, study, kTexts, kOther},
      {"--max-length", texts.max_length != usual_texts.max_length, study, kTexts, kOther},
      {"--tokenizer", !texts.tokenizer.empty(), study, kTexts, kOther},
      {"--document-prompt", texts.prompt.has_value(), study, kTexts, kOther},
      {"--calibration-cache", !texts.cache.empty(), fixed || smooth,
       "mode static or --smooth-quant", kOther},
      {"--calibration-method", texts.method != usual_texts.method, fixed, kStatic, kOther},
      {"--percentile", texts.percentile.has_value(), fixed, kStatic, kOther},
      {"--percentile", texts.percentile.has_value(), texts.method == "percentile",
       "--calibration-method percentile", "leave it out, or choose that method",
       "to another method of calibration"},
      {"--pooling", all.embedder.pooling.has_value(), scored, kScores, kOut, "without --eval"},
      {"--eval-max-length", all.embedder.max_length.has_value(), scored, kScores, kOut,
       "without --eval"},
      {"--query-prompt", false, scored, kScores, kOut, "without --eval"},
      {"--score-cache", false, all.sensitivity || all.max_loss, "--sensitivity or --max-loss", kOut,
       "where nothing is measured"},
  };
  for (const Option& option : options) {
    const bool said = option.unusual ||
                      std::find(all.said.begin(), all.said.end(), option.name) != all.said.end();
    if (!said || option.read) continue;
    const std::string mode = "in mode " + std::string(quantize_mode_name(o.mode));
    conflict(std::string(option.opposite != nullptr ? option.opposite : option.name) +
                 " says nothing " + (option.where.empty() ? mode : option.where),
             option.readers, option.fix);
  }
}

}  // namespace

QuantizeMode parse_quantize_mode(std::string_view name) { return parse(kModes, name, "mode"); }
QuantizeFormat parse_quantize_format(std::string_view name) {
  return parse(kFormats, name, "format");
}
QuantizedType parse_quantized_type(std::string_view name) { return parse(kTypes, name, "type"); }
QuantizedTables parse_quantized_tables(std::string_view name) {
  return parse(kTables, name, "form of tables");
}
std::string_view quantize_mode_name(QuantizeMode mode) { return name_of(kModes, mode); }
std::string_view quantize_format_name(QuantizeFormat format) { return name_of(kFormats, format); }
std::string_view quantized_type_name(QuantizedType type) { return name_of(kTypes, type); }
std::string_view quantized_tables_name(QuantizedTables tables) { return name_of(kTables, tables); }

SensitivityMetric parse_sensitivity_metric(std::string_view name) {
  return parse(kMetrics, name, "metric of sensitivity");
}
std::string_view sensitivity_metric_name(SensitivityMetric metric) {
  return name_of(kMetrics, metric);
}

std::vector<std::string> quantize_presets() {
  return {"arm64", "avx2", "avx512", "avx512_vnni", "amx"};
}

void apply_quantize_preset(QuantizeOptions& options, std::string_view name) {
  const std::vector<std::string> known = quantize_presets();
  if (std::find(known.begin(), known.end(), name) == known.end()) {
    std::string all;
    for (const std::string& preset : known) all += (all.empty() ? "" : ", ") + preset;
    throw Error(ErrorCode::kInvalidArgument, {.message = "there is no such preset",
                                              .expected = all,
                                              .found = "'" + std::string(name) + "'"});
  }
  if (options.mode != QuantizeMode::kStatic) options.mode = QuantizeMode::kDynamic;
  options.activation_type = QuantizedType::kUInt8;
  options.activation_symmetric = false;
  options.weight_type = name == "avx2" ? QuantizedType::kUInt8 : QuantizedType::kInt8;
  options.weight_symmetric = true;
  options.per_channel = true;
  // Sums of two products of 8 bits overflow 16 bits without VNNI; onnxruntime's kernel for uint8
  // weights widens first.
  options.reduce_range = name == "avx512";
}

bool needs_calibration_texts(const QuantizeModelOptions& o) {
  return o.scheme.mode == Mode::kStatic || o.smooth_alpha || o.smooth_search || o.sensitivity ||
         o.max_loss;
}

void check_quantize_options(const QuantizeOptions& options) {
  QuantizeModelOptions all;
  all.scheme = options;
  check_quantize_options(all);
}

void check_quantize_options(const QuantizeModelOptions& all) {
  const QuantizeOptions& o = all.scheme;
  const bool integer_activations =
      o.mode == QuantizeMode::kDynamic || o.mode == QuantizeMode::kStatic;
  const bool weight_only = o.mode == QuantizeMode::kInt8 || o.mode == QuantizeMode::kInt4;
  refuse_silent_options(all);
  if (integer_activations && o.activation_type == QuantizedType::kInt8 &&
      o.weight_type == QuantizedType::kUInt8) {
    conflict("no kernel multiplies signed activations by unsigned weights",
             "QInt8 weights with QInt8 activations",
             "choose --weight-type QInt8 or --activation-type QUInt8");
  }
  if (o.mode == QuantizeMode::kDynamic && o.activation_symmetric &&
      o.activation_type == QuantizedType::kUInt8) {
    conflict("dynamic uint8 activations cannot be symmetric",
             "DynamicQuantizeLinear, which finds their range", "choose --activation-type QInt8");
  }
  if (o.mode == QuantizeMode::kOctavo && o.format == QuantizeFormat::kQdq)
    conflict("a scale a token row has no QDQ form", "format QOperator",
             "choose --format QOperator, or --mode dynamic");
  if (weight_only) {
    const std::size_t b = o.block_size;
    if (b < 16 || b > 256 || (b & (b - 1)) != 0)
      conflict("the block size is out of range", "16, 32, 64, 128 or 256", "choose one of these");
    if (o.accuracy_level < 0 || o.accuracy_level > 4)
      conflict("the accuracy level is out of range", "0 (unset) to 4 (int8)",
               "leave --accuracy-level out");
  }
}

}  // namespace octavo
