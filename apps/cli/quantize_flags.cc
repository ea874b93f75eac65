#include "quantize_flags.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

namespace octavo::cli {
namespace {

constexpr const char* kScheme = "Scheme";
constexpr const char* kCalibration = "Static calibration";
constexpr const char* kQuality = "Quality";
constexpr const char* kOnnxConvert = "As in onnx-convert";

double parse_number(const std::string& text, const char* flag, const std::string& expected) {
  std::size_t used = 0;
  double out = 0;
  try {
    out = std::stod(text, &used);
  } catch (const std::exception&) {
    used = 0;
  }
  if (used != 0 && used == text.size()) return out;
  throw Error(ErrorCode::kInvalidArgument, {.message = std::string(flag) + " is no number",
                                            .expected = expected,
                                            .found = "'" + text + "'"});
}

/// What is measured on a data set needs one, and a data set needs something to measure.
void check_data_set(const QuantizeFlags& flags) {
  const bool by_score = flags.metric == "ndcg";
  if ((flags.max_loss || by_score) && flags.data_set.empty()) {
    throw Error(ErrorCode::kInvalidArgument,
                {.message = std::string(by_score ? "--sensitivity-metric ndcg" : "--max-loss") +
                            " needs a data set to measure the loss on",
                 .expected = "a BEIR directory",
                 .fix = "--eval DIR"});
  }
  if (!flags.max_loss && !by_score && !flags.data_set.empty()) {
    throw Error(ErrorCode::kInvalidArgument,
                ErrorInfo{.message = "--eval is there for --max-loss and --sensitivity-metric ndcg",
                          .expected = "both or neither",
                          .fix = "--max-loss 0.5%, or octavo eval"});
  }
}

/// What asks for texts: SmoothQuant, the ranking of products and the quality gate.
void choose_study(QuantizeFlags& flags) {
  QuantizeModelOptions& options = flags.options;
  if (flags.smooth && *flags.smooth == "search") {
    options.smooth_search = true;
  } else if (flags.smooth) {
    options.smooth_alpha =
        parse_number(*flags.smooth, "--smooth-quant", "a number in 0 to 1, or search");
  }
  if (flags.prompts.document) options.calibration.prompt = flags.prompts.document;
  if (flags.metric) {
    options.sensitivity_metric = parse_sensitivity_metric(*flags.metric);
    if (!flags.max_loss) options.sensitivity = true;
  }
  check_data_set(flags);
  if (!flags.max_loss) return;
  const std::string expected = "a share with its sign: 0.5%";
  if (!flags.max_loss->ends_with('%')) {
    throw Error(ErrorCode::kInvalidArgument, {.message = "--max-loss is no share",
                                              .expected = expected,
                                              .found = "'" + *flags.max_loss + "'"});
  }
  const std::string number = flags.max_loss->substr(0, flags.max_loss->size() - 1);
  options.max_loss = parse_number(number, "--max-loss", expected) / 100;
}

bool said(const QuantizeFlags& flags, const char* option) {
  const std::vector<std::string>& all = flags.options.said;
  return std::find(all.begin(), all.end(), option) != all.end();
}

/// Where the model goes: onnx-convert's parent gets a directory with the model's name.
void choose_directory(QuantizeFlags& flags) {
  if (!flags.directory.empty()) return;
  if (flags.parent_directory.empty()) {
    throw Error(ErrorCode::kInvalidArgument, ErrorInfo{.message = "quantize: --output is required",
                                                       .fix = "-o DIR, a new directory"});
  }
  namespace fs = std::filesystem;
  fs::path model = fs::absolute(flags.model).lexically_normal();
  if (!model.has_filename() || model.extension() == ".onnx") model = model.parent_path();
  flags.directory = (fs::path(flags.parent_directory) / model.filename()).string();
  if (!flags.layout && !said(flags, "--file-name")) flags.layout = "onnx-convert";
}

/// What onnx-convert means by --quantize.
void apply_alias(const QuantizeFlags& flags, QuantizeOptions& s) {
  const std::string& alias = *flags.alias;
  if (flags.mode || flags.preset) {
    throw Error(ErrorCode::kInvalidArgument,
                {.message = "--quantize says the mode already",
                 .found = flags.mode ? "--mode beside it" : "--preset beside it",
                 .fix = "leave one of them out"});
  }
  if (flags.weight_type) {
    throw Error(ErrorCode::kInvalidArgument,
                ErrorInfo{.message = "--quantize says the type of the weights already",
                          .found = "--weight-type beside it",
                          .fix = "leave one of them out"});
  }
  s.mode = alias == "Float16"       ? QuantizeMode::kFloat16
           : alias == "QInt8Static" ? QuantizeMode::kStatic
                                    : QuantizeMode::kDynamic;
  if (s.mode == QuantizeMode::kFloat16) return;
  s.weight_type = alias == "QUInt8" ? QuantizedType::kUInt8 : QuantizedType::kInt8;
  if (s.mode == QuantizeMode::kStatic) s.activation_type = QuantizedType::kInt8;
  s.per_channel = s.reduce_range = true;
}

template <typename T>
CLI::Option* optional_flag(CLI::App& app, const std::string& name, std::optional<T>& target,
                           const std::string& help, const char* group) {
  return app
      .add_option_function<T>(
          name, [&target](const T& value) { target = value; }, help)
      ->group(group);
}

CLI::Option* truth_flag(CLI::App& app, const std::string& names, std::optional<bool>& target,
                        const std::string& help) {
  return app
      .add_flag_function(
          names, [&target](std::int64_t value) { target = value > 0; }, help)
      ->group(kScheme);
}

void add_scheme(CLI::App& app, QuantizeFlags& self) {
  QuantizeOptions& s = self.options.scheme;
  optional_flag(app, "--mode", self.mode,
                "octavo (int8, a scale a token row), dynamic, static, float16, bfloat16; int8, "
                "int4: weights alone (octavo)",
                kScheme)
      ->type_name("M");
  optional_flag(app, "--preset", self.preset, "arm64, avx2, avx512, avx512_vnni or amx", kScheme)
      ->type_name("CPU");
  optional_flag(app, "--format", self.format, "QOperator or QDQ", kScheme)->type_name("F");
  optional_flag(app, "--weight-type", self.weight_type, "QInt8 or QUInt8", kScheme)->type_name("T");
  optional_flag(app, "--activation-type", self.activation_type, "QUInt8 or QInt8", kScheme)
      ->type_name("T");
  truth_flag(app, "--per-channel,--per_channel,!--no-per-channel,!--no_per_channel",
             self.per_channel, "a scale an output channel");
  truth_flag(app, "--reduce-range,--reduce_range,!--no-reduce-range,!--no_reduce_range",
             self.reduce_range, "weights of 7 bits, for CPUs without VNNI");
  truth_flag(app, "--symmetric,!--no-symmetric,!--asymmetric", self.symmetric,
             "weights around zero, or not");
  truth_flag(app, "--activation-symmetric", self.activation_symmetric, "activations around zero");
  app.add_flag("--quantize-outputs", s.quantize_outputs, "static QDQ: round products' outputs too")
      ->group(kScheme);
  optional_flag(app, "--tables", self.tables, "embedding tables: rows, tensor or float", kScheme)
      ->type_name("T");
  app.add_option("--block-size", s.block_size, "weights alone: 16 to 256 (32)")
      ->type_name("N")
      ->check(at_least(0))
      ->group(kScheme);
  app.add_option("--accuracy-level", s.accuracy_level, "of MatMulNBits, 0 to 4")
      ->type_name("N")
      ->group(kScheme);
  app.add_flag("--keep-io-types,!--no-keep-io-types", s.keep_io_types,
               "float16: inputs and outputs stay float32 (default)")
      ->group(kScheme);
  add_list_flag(app, "--keep-float", self.keep_float, "16-bit modes: operators that stay float32")
      ->type_name("OP[,OP]")
      ->group(kScheme);
  add_list_flag(app, "--exclude", s.exclude, "nodes to leave as they are, by name or glob")
      ->type_name("NAME[,NAME]")
      ->group(kScheme);
  add_list_flag(app, "--exclude-op", s.exclude_ops, "operator types to leave as they are")
      ->type_name("OP[,OP]")
      ->group(kScheme);
}

void add_calibration(CLI::App& app, CalibrationOptions& calibration) {
  add_repeated_flag(app, "--calibration,--calibration_dataset", calibration.files,
                    "texts: lines, JSONL or a BEIR directory")
      ->type_name("FILE")
      ->group(kCalibration);
  app.add_option("--calibration-method", calibration.method,
                 "minmax, moving_average, percentile or entropy")
      ->type_name("M")
      ->capture_default_str()
      ->group(kCalibration);
  app.add_option_function<double>(
         "--percentile", [&calibration](double value) { calibration.percentile = value; },
         "what percentile keeps (99.999)")
      ->type_name("P")
      ->group(kCalibration);
  app.add_option("--samples,--calibration-samples", calibration.samples, "texts at most")
      ->type_name("N")
      ->check(at_least(0))
      ->capture_default_str()
      ->group(kCalibration);
  app.add_option("--max-length", calibration.max_length, "tokens of a text at most")
      ->type_name("N")
      ->check(at_least(0))
      ->capture_default_str()
      ->group(kCalibration);
  app.add_option("--tokenizer", calibration.tokenizer, "where it is not beside the model")
      ->type_name("FILE")
      ->group(kCalibration);
  app.add_option("--calibration-cache", calibration.cache, "the state, to go on later")
      ->type_name("FILE")
      ->group(kCalibration);
}

void add_study(CLI::App& app, const Context& context, QuantizeFlags& self) {
  optional_flag(app, "--smooth-quant", self.smooth,
                "SmoothQuant: alpha in 0 to 1 (0.5 is usual), or search", kQuality)
      ->type_name("A");
  app.add_flag("--sensitivity", self.options.sensitivity, "what each product costs alone")
      ->group(kQuality);
  optional_flag(app, "--sensitivity-metric", self.metric,
                "rank by sqnr, cosine, or ndcg on --eval (sqnr)", kQuality)
      ->type_name("M");
  optional_flag(app, "--max-loss", self.max_loss,
                "keep products in float until NDCG@10 loses at most P", kQuality)
      ->type_name("P");
  app.add_option("--eval", self.data_set, "BEIR directory that the loss is measured on")
      ->type_name("DIR")
      ->group(kQuality);
  app.add_option_function<std::string>(
         "--pooling",
         [&self](const std::string& name) { self.options.embedder.pooling = parse_pooling(name); },
         "of --eval, where the model's files do not say it")
      ->type_name("P")
      ->group(kQuality);
  app.add_option_function<std::size_t>(
         "--eval-max-length",
         [&self](std::size_t tokens) { self.options.embedder.max_length = tokens; },
         "tokens of a text of --eval at most")
      ->type_name("N")
      ->check(at_least(1))
      ->group(kQuality);
  if (!context.cache_directory.empty())
    self.options.score_cache = context.cache_directory + "/quality";
  auto* kept = app.add_option("--score-cache", self.options.score_cache,
                              "where scores are kept (or --no-score-cache)")
                   ->type_name("DIR")
                   ->group(kQuality);
  app.add_flag_function(
         "--no-score-cache", [&self](std::int64_t) { self.options.score_cache.clear(); },
         "keep nothing")
      ->excludes(kept)
      ->group("");  // the line above names it
  app.add_option("--report", self.report, "write a page with charts of all this")
      ->type_name("FILE.html")
      ->group(kQuality);
  add_role_prompt_flags(app, self.prompts);
  for (const char* name : {"--query-prompt", "--document-prompt"})
    app.get_option(name)->group(kQuality);
}

void add_output(CLI::App& app, QuantizeFlags& self) {
  auto* output = app.add_option("-o,--output", self.directory, "directory to write the model into")
                     ->type_name("DIR");
  app.add_option("--output_parent_dir", self.parent_directory,
                 "instead of -o: into DIR/NAME, --layout onnx-convert")
      ->excludes(output)
      ->type_name("DIR")
      ->group(kOnnxConvert);
  optional_flag(app, "--level,--optimize", self.level, "optimise first: 0, 1, 2 or 99 (0)", "")
      ->type_name("L")
      ->check(CLI::IsMember({0, 1, 2, 99}))
      ->group("Options");
  app.add_option("--opset", self.options.opset, "opset of the file (17; 21 where needed)")
      ->type_name("N");
  app.add_option("--file-name", self.options.file_name, "name of the model in DIR")
      ->type_name("NAME")
      ->capture_default_str();
  optional_flag(app, "--layout", self.layout,
                "onnx-convert: onnx/model_opt{L}_{QInt8}.onnx; or plain", "Options")
      ->type_name("L")
      ->check(CLI::IsMember({"plain", "onnx-convert"}));
  optional_flag(app, "--quantize", self.alias, "QInt8, QUInt8, QInt8Static, Float16; level 1",
                kOnnxConvert)
      ->type_name("T")
      ->check(CLI::IsMember({"QInt8", "QUInt8", "QInt8Static", "Float16"}));
  app.add_flag("--skip_shape_inference", self.skip_shape_inference, "optimise nothing: level 0")
      ->group(kOnnxConvert);
  app.add_flag("--external-data", self.options.external_data,
               "weights into a file of their own; above 2 GiB always");
  app.add_flag("--force", self.options.force, "replace files of a directory that holds some");
  app.add_flag("--explain", self.explain, "what became of every node with weights");
  app.add_option("--threads", self.options.threads, "threads to use (every core)")
      ->type_name("N")
      ->check(CLI::Range(1, 4096));
}

}  // namespace

void add_quantize_flags(CLI::App& app, const Context& context, QuantizeFlags& flags) {
  flags.options.isa = context.isa;
  add_model(app, flags.model);
  add_output(app, flags);
  add_scheme(app, flags);
  add_calibration(app, flags.options.calibration);
  add_study(app, context, flags);
}

void resolve(QuantizeFlags& flags) {
  QuantizeOptions& s = flags.options.scheme;
  // Presets and aliases first, so that what was said beside them holds.
  if (flags.mode) s.mode = parse_quantize_mode(*flags.mode);
  if (flags.preset) {
    if (!flags.mode) s.mode = QuantizeMode::kDynamic;
    if (s.mode != QuantizeMode::kDynamic && s.mode != QuantizeMode::kStatic) {
      throw Error(ErrorCode::kInvalidArgument,
                  {.message = "--preset says nothing in mode " + *flags.mode,
                   .expected = "mode dynamic or static",
                   .fix = "leave one of --mode and --preset out"});
    }
    apply_quantize_preset(s, *flags.preset);
  }
  if (flags.alias) apply_alias(flags, s);
  if (flags.format) s.format = parse_quantize_format(*flags.format);
  if (flags.weight_type) s.weight_type = parse_quantized_type(*flags.weight_type);
  if (flags.activation_type) s.activation_type = parse_quantized_type(*flags.activation_type);
  if (flags.tables) s.tables = parse_quantized_tables(*flags.tables);
  if (flags.per_channel) s.per_channel = *flags.per_channel;
  if (flags.reduce_range) s.reduce_range = *flags.reduce_range;
  if (flags.symmetric) s.weight_symmetric = flags.symmetric;
  if (flags.activation_symmetric) s.activation_symmetric = *flags.activation_symmetric;
  if (!flags.keep_float.empty()) s.blocked_ops = flags.keep_float;
  flags.options.level = flags.level.value_or(flags.alias ? 1 : 0);
  // There, graphs without shapes are not optimised.
  if (flags.skip_shape_inference) flags.options.level = 0;
  choose_directory(flags);
  if (flags.layout == "onnx-convert") {
    if (said(flags, "--file-name")) {
      throw Error(ErrorCode::kInvalidArgument,
                  ErrorInfo{.message = "--layout onnx-convert says the name of the file already",
                            .found = "--file-name beside it",
                            .fix = "leave one of them out"});
    }
    const std::string kind = flags.alias ? *flags.alias : std::string(quantize_mode_name(s.mode));
    flags.options.file_name = fmt::format("onnx/model_opt{}_{}.onnx", flags.options.level, kind);
  }
  choose_study(flags);
}

}  // namespace octavo::cli
