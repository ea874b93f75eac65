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

/// An option beside a mode that does not read it. What is the default cannot be told from what was
/// not said.
void refuse_silent_options(const QuantizeOptions& o) {
  struct Option {
    const char* flag;
    bool said, read;
    const char *readers, *fix;
  };
  constexpr const char *kIntegers = "mode dynamic or static", *kBlocks = "mode int8 or int4",
                       *kOther = "leave it out, or choose another mode";
  const QuantizeOptions usual;
  const bool integers = o.mode == Mode::kDynamic || o.mode == Mode::kStatic;
  const bool blocks = o.mode == Mode::kInt8 || o.mode == Mode::kInt4;
  const bool half = o.mode == Mode::kFloat16, floats = half || o.mode == Mode::kBFloat16;
  const Option options[] = {
      {"--per-channel", o.per_channel, integers, kIntegers,
       o.mode == Mode::kOctavo ? "leave it out: weights have a scale a channel anyway" : kOther},
      {"--reduce-range", o.reduce_range, integers, kIntegers, kOther},
      {"--weight-type", o.weight_type != usual.weight_type, integers, kIntegers,
       blocks ? "choose --asymmetric for blocks with a zero point" : kOther},
      {"--asymmetric", !o.weight_symmetric.value_or(true), integers || blocks,
       "mode dynamic, static, int8 or int4", kOther},
      {"--activation-type", o.activation_type != usual.activation_type, integers, kIntegers,
       kOther},
      {"--activation-symmetric", o.activation_symmetric, integers, kIntegers, kOther},
      {"--tables", o.tables != usual.tables, !floats, "a mode with integers", kOther},
      {"--format", o.format != usual.format, !floats, "a mode with integers", kOther},
      {"--block-size", o.block_size != usual.block_size, blocks, kBlocks, kOther},
      {"--accuracy-level", o.accuracy_level != usual.accuracy_level, blocks, kBlocks, kOther},
      {"--keep-float", o.blocked_ops.has_value(), floats, "mode float16 or bfloat16", kOther},
      {"--no-keep-io-types", !o.keep_io_types, half, "mode float16", kOther},
  };
  for (const Option& option : options) {
    if (!option.said || option.read) continue;
    conflict(std::string(option.flag) + " says nothing in mode " +
                 std::string(quantize_mode_name(o.mode)),
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

void check_quantize_options(const QuantizeOptions& o) {
  const bool integer_activations =
      o.mode == QuantizeMode::kDynamic || o.mode == QuantizeMode::kStatic;
  const bool weight_only = o.mode == QuantizeMode::kInt8 || o.mode == QuantizeMode::kInt4;
  refuse_silent_options(o);
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
  if (o.quantize_outputs && o.mode != QuantizeMode::kStatic)
    conflict("only static quantisation can round what products give", "mode static",
             "leave --quantize-outputs out");
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
