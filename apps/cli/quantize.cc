// octavo quantize: a model in fewer bits, as an ONNX file.
#include "octavo/quantize.h"

#include <fmt/format.h>

#include <map>
#include <memory>

#include "flags.h"
#include "format.h"
#include "interrupt.h"
#include "octavo/error.h"
#include "octavo/evaluation.h"
#include "progress.h"
#include "verbs.h"

namespace octavo::cli {
namespace {

struct QuantizeCommand {
  explicit QuantizeCommand(Context& the_context) : context(the_context) {}

  Context& context;
  std::string model, directory, layout = "plain";
  std::optional<int> level;
  std::optional<std::string> mode, format, weight_type, activation_type, preset, alias, tables;
  std::optional<bool> per_channel, reduce_range, symmetric, activation_symmetric;
  std::optional<std::vector<std::string>> keep_float;
  std::optional<std::string> smooth, max_loss;
  std::string data_set;
  PromptFlags prompts{};
  bool explain = false;
  QuantizeModelOptions options{};

  void run() {
    choose();
    choose_study();
    QuantizeResult result;
    {
      Interruptible guard;
      Progress progress(context.console);
      options.cancelled = interrupted;
      options.calibration.progress = [&](std::size_t done, std::size_t total, std::size_t tokens) {
        return progress.update(
            "calibration texts", done, tokens,
            total == 0 ? -1.0 : static_cast<double>(done) / static_cast<double>(total));
      };
      options.study_progress = [&](std::string_view stage, std::size_t done, std::size_t total) {
        return progress.update(
            stage, done, 0,
            total == 0 ? -1.0 : static_cast<double>(done) / static_cast<double>(total));
      };
      options.score = [&](Embedder& embedder) { return score(embedder, progress); };
      result = quantize_model(model, directory, options);
    }
    constexpr std::size_t kSteady = 100;
    if (result.calibration_samples != 0 && result.calibration_samples < kSteady) {
      context.console.warn(fmt::format("ranges come from {}; with {} and more they are steadier",
                                       plural(result.calibration_samples, "text"), kSteady));
    }
    if (context.console.json) return context.console.print_json(to_json(result));
    print_text(result);
    print_study(result);
  }

  /// What asks for texts: SmoothQuant and the quality gate.
  void choose_study() {
    if (smooth && *smooth == "search") {
      options.smooth_search = true;
    } else if (smooth) {
      options.smooth_alpha =
          parse_number(*smooth, "--smooth-quant", "a number in 0 to 1, or search");
    }
    if (prompts.document) options.calibration.prompt = prompts.document;
    if (max_loss && data_set.empty()) {
      throw Error(ErrorCode::kInvalidArgument,
                  {.message = "--max-loss needs a data set to measure the loss on",
                   .expected = "a BEIR directory",
                   .fix = "--eval DIR"});
    }
    if (!max_loss && !data_set.empty()) {
      throw Error(ErrorCode::kInvalidArgument,
                  ErrorInfo{.message = "--eval is there for --max-loss",
                            .expected = "both or neither",
                            .fix = "--max-loss 0.5%, or octavo eval"});
    }
    if (!max_loss) return;
    const std::string expected = "a share with its sign: 0.5%";
    if (!max_loss->ends_with('%')) {
      throw Error(ErrorCode::kInvalidArgument, {.message = "--max-loss is no share",
                                                .expected = expected,
                                                .found = "'" + *max_loss + "'"});
    }
    options.max_loss =
        parse_number(max_loss->substr(0, max_loss->size() - 1), "--max-loss", expected) / 100;
  }

  static double parse_number(const std::string& text, const char* flag,
                             const std::string& expected) {
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

  double score(Embedder& embedder, Progress& progress) const {
    RetrievalOptions retrieval{.query_prompt = query_prompt(prompts, embedder),
                               .document_prompt = document_prompt(prompts, embedder)};
    retrieval.progress = [&](std::string_view stage, std::size_t done, std::size_t total,
                             std::size_t tokens) {
      return progress.update(stage, done, tokens,
                             static_cast<double>(done) / static_cast<double>(total + 1));
    };
    return evaluate_retrieval(embedder, data_set, retrieval).scores.mean.at("ndcg_at_10");
  }

  /// Presets and aliases first, so that what was said beside them holds.
  void choose() {
    QuantizeOptions& s = options.scheme;
    if (mode) s.mode = parse_quantize_mode(*mode);
    if (preset) {
      if (!mode) s.mode = QuantizeMode::kDynamic;
      apply_quantize_preset(s, *preset);
    }
    if (alias) apply_alias(s);
    if (format) s.format = parse_quantize_format(*format);
    if (weight_type) s.weight_type = parse_quantized_type(*weight_type);
    if (activation_type) s.activation_type = parse_quantized_type(*activation_type);
    if (tables) s.tables = parse_quantized_tables(*tables);
    if (per_channel) s.per_channel = *per_channel;
    if (reduce_range) s.reduce_range = *reduce_range;
    if (symmetric) s.weight_symmetric = symmetric;
    if (activation_symmetric) s.activation_symmetric = *activation_symmetric;
    s.blocked_ops = keep_float;
    options.level = level.value_or(alias ? 1 : 0);
    if (layout == "onnx-convert") {
      const std::string kind = alias ? *alias : std::string(quantize_mode_name(s.mode));
      options.file_name = fmt::format("onnx/model_opt{}_{}.onnx", options.level, kind);
    }
  }

  /// What onnx-convert means by --quantize.
  void apply_alias(QuantizeOptions& s) const {
    if (mode || preset) {
      throw Error(ErrorCode::kInvalidArgument,
                  {.message = "--quantize says the mode already",
                   .found = mode ? "--mode beside it" : "--preset beside it",
                   .fix = "leave one of them out"});
    }
    s.mode = *alias == "Float16"       ? QuantizeMode::kFloat16
             : *alias == "QInt8Static" ? QuantizeMode::kStatic
                                       : QuantizeMode::kDynamic;
    if (s.mode == QuantizeMode::kFloat16) return;
    s.weight_type = *alias == "QUInt8" ? QuantizedType::kUInt8 : QuantizedType::kInt8;
    if (s.mode == QuantizeMode::kStatic) s.activation_type = QuantizedType::kInt8;
    s.per_channel = s.reduce_range = true;
  }

  Json to_json(const QuantizeResult& result) const {
    Json nodes = Json::array();
    for (const QuantizedNode& node : result.nodes) {
      nodes.push_back({{"name", node.name},
                       {"op", node.op},
                       {"quantized", node.quantized},
                       {"note", node.note}});
    }
    return {{"path", result.path},
            {"mode", quantize_mode_name(options.scheme.mode)},
            {"format", quantize_format_name(options.scheme.format)},
            {"level", options.level},
            {"opset", result.opset},
            {"files", result.files},
            {"source_bytes", result.source_bytes},
            {"bytes", result.bytes},
            {"quantized", result.quantized},
            {"calibration_samples", result.calibration_samples},
            {"calibration_tokens", result.calibration_tokens},
            {"calibration_resumed", result.calibration_resumed},
            {"smooth_quant", smooth_json(result)},
            {"sensitivity", sensitivity_json(result)},
            {"quality", quality_json(result)},
            {"nodes", std::move(nodes)}};
  }

  static Json smooth_json(const QuantizeResult& result) {
    if (!result.smooth_alpha) return nullptr;
    return {{"alpha", *result.smooth_alpha},
            {"activations", result.smoothed},
            {"folded", result.smoothed_folded}};
  }

  static Json sensitivity_json(const QuantizeResult& result) {
    Json out = Json::array();
    for (const LayerSensitivity& layer : result.sensitivity) {
      out.push_back({{"node", layer.node}, {"cosine", layer.cosine}, {"sqnr_db", layer.sqnr_db}});
    }
    return out;
  }

  Json quality_json(const QuantizeResult& result) const {
    if (!options.max_loss) return nullptr;
    Json steps = Json::array();
    for (const QualityStep& step : result.gate_steps) {
      steps.push_back(
          {{"excluded", step.excluded}, {"ndcg_at_10", step.score}, {"loss", step.loss}});
    }
    return {{"max_loss", *options.max_loss},    {"baseline_ndcg_at_10", result.baseline_score},
            {"ndcg_at_10", result.score},       {"loss", result.loss},
            {"excluded", result.gate_excluded}, {"steps", std::move(steps)}};
  }

  void print_study(const QuantizeResult& result) const {
    std::ostream& out = context.console.out();
    if (result.smooth_alpha) {
      out << fmt::format("\nSmoothQuant with alpha {:.1f}: {}, {} of them by the normalisation\n",
                         *result.smooth_alpha, plural(result.smoothed, "activation"),
                         result.smoothed_folded);
    }
    if (!result.sensitivity.empty()) {
      constexpr std::size_t kRows = 20;
      const std::size_t rows =
          explain ? result.sensitivity.size() : std::min(kRows, result.sensitivity.size());
      out << '\n'
          << context.console.strong("What each product costs, quantised alone: the worst first")
          << '\n';
      Table table({"  product", "SQNR dB", "cosine"});
      for (std::size_t i = 0; i < rows; ++i) {
        const LayerSensitivity& layer = result.sensitivity[i];
        table.add({"  " + layer.node, fmt::format("{:.1f}", layer.sqnr_db),
                   fmt::format("{:.6f}", layer.cosine)});
      }
      out << table.text();
      if (rows < result.sensitivity.size())
        out << fmt::format("  ... and {} more (--explain, --json)\n",
                           result.sensitivity.size() - rows);
    }
    if (!options.max_loss) return;
    out << '\n' << context.console.strong("Quality gate") << '\n';
    Table table({"  products in float", "NDCG@10", "loss"});
    table.add({"  all", fmt::format("{:.4f}", result.baseline_score), "0.00 %"});
    for (const QualityStep& step : result.gate_steps) {
      table.add({"  " + std::to_string(step.excluded), fmt::format("{:.4f}", step.score),
                 fmt::format("{:.2f} %", step.loss * 100)});
    }
    out << table.text()
        << fmt::format("  {} left in float, loss {:.2f} % of {:.4f}\n",
                       plural(result.gate_excluded.size(), "product"), result.loss * 100,
                       result.baseline_score);
    for (const std::string& node : result.gate_excluded) out << "    " << node << '\n';
  }

  void print_text(const QuantizeResult& result) const {
    std::ostream& out = context.console.out();
    const double share = result.source_bytes == 0 ? 1.0
                                                  : static_cast<double>(result.bytes) /
                                                        static_cast<double>(result.source_bytes);
    out << context.console.strong(result.path) << '\n'
        << fmt::format("  {}, level {}, opset {}: {} became {} ({:.0f} %)\n",
                       quantize_mode_name(options.scheme.mode), options.level, result.opset,
                       bytes_text(result.source_bytes), bytes_text(result.bytes), share * 100);
    if (result.calibration_samples != 0) {
      out << fmt::format("  ranges from {}, {}\n", plural(result.calibration_samples, "text"),
                         plural(result.calibration_tokens, "token"));
    }
    out << '\n';
    std::map<std::pair<std::string, std::string>, std::size_t> kinds;
    for (const QuantizedNode& node : result.nodes) ++kinds[{node.op, note_of(node)}];
    Table table({"  op", "nodes", "became"});
    for (const auto& [kind, count] : kinds)
      table.add({"  " + kind.first, std::to_string(count), kind.second});
    out << context.console.strong("Nodes with weights") << '\n' << table.text();
    if (!explain) return;
    out << '\n' << context.console.strong("Each") << '\n';
    for (const QuantizedNode& node : result.nodes)
      out << fmt::format("  {} ({}): {}\n", node.name, node.op, note_of(node));
  }

  static std::string note_of(const QuantizedNode& node) {
    return node.quantized ? node.note : "left as it was: " + node.note;
  }
};

constexpr const char* kScheme = "Scheme";
constexpr const char* kCalibration = "Static calibration";

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

void define_scheme(CLI::App& app, QuantizeCommand& self) {
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
      ->group(kScheme);
  app.add_option("--accuracy-level", s.accuracy_level, "of MatMulNBits, 0 to 4")
      ->type_name("N")
      ->group(kScheme);
  app.add_flag("--keep-io-types,!--no-keep-io-types", s.keep_io_types,
               "float16: inputs and outputs stay float32 (default)")
      ->group(kScheme);
  app.add_option_function<std::vector<std::string>>(
         "--keep-float", [&self](const auto& ops) { self.keep_float = ops; },
         "float16: operators that stay float32")
      ->delimiter(',')
      ->type_name("OP[,OP]")
      ->group(kScheme);
  app.add_option("--exclude", s.exclude, "nodes to leave as they are, by name or glob")
      ->delimiter(',')
      ->type_name("NAME")
      ->group(kScheme);
  app.add_option("--exclude-op", s.exclude_ops, "operator types to leave as they are")
      ->delimiter(',')
      ->type_name("OP")
      ->group(kScheme);
}

void define_calibration(CLI::App& app, CalibrationOptions& calibration) {
  app.add_option("--calibration", calibration.files, "texts: lines, JSONL or a BEIR directory")
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
      ->capture_default_str()
      ->group(kCalibration);
  app.add_option("--max-length", calibration.max_length, "tokens of a text at most")
      ->type_name("N")
      ->capture_default_str()
      ->group(kCalibration);
  app.add_option("--tokenizer", calibration.tokenizer, "where it is not beside the model")
      ->type_name("FILE")
      ->group(kCalibration);
  app.add_option("--calibration-cache", calibration.cache, "the state, to go on later")
      ->type_name("FILE")
      ->group(kCalibration);
}

void define_study(CLI::App& app, QuantizeCommand& self) {
  constexpr const char* kQuality = "Quality";
  optional_flag(app, "--smooth-quant", self.smooth,
                "SmoothQuant: alpha in 0 to 1 (0.5 is usual), or search", kQuality)
      ->type_name("A");
  app.add_flag("--sensitivity", self.options.sensitivity, "what each product costs alone")
      ->group(kQuality);
  optional_flag(app, "--max-loss", self.max_loss,
                "leave the worst products in float until NDCG@10 loses at most so much: 0.5%",
                kQuality)
      ->type_name("P");
  app.add_option("--eval", self.data_set, "BEIR directory that --max-loss is measured on")
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
      ->group(kQuality);
  add_role_prompt_flags(app, self.prompts);
}

}  // namespace

void define_quantize(Command& command, Context& context) {
  const auto self = std::make_shared<QuantizeCommand>(context);
  self->options.isa = context.isa;
  CLI::App& app = command.app;
  add_model(app, self->model);
  app.add_option("-o,--output", self->directory, "directory to write the model into")
      ->required()
      ->type_name("DIR");
  define_scheme(app, *self);
  define_calibration(app, self->options.calibration);
  define_study(app, *self);
  optional_flag(app, "--level,--optimize", self->level, "optimise first: 0, 1, 2 or 99 (0)", "")
      ->type_name("L")
      ->check(CLI::IsMember({0, 1, 2, 99}))
      ->group("Options");
  app.add_option("--opset", self->options.opset, "opset of the file (17; 21 where needed)")
      ->type_name("N");
  app.add_option("--file-name", self->options.file_name, "name of the model in DIR")
      ->type_name("NAME")
      ->capture_default_str();
  app.add_option("--layout", self->layout, "onnx-convert: onnx/model_opt{L}_{QInt8}.onnx; or plain")
      ->type_name("L")
      ->check(CLI::IsMember({"plain", "onnx-convert"}));
  optional_flag(app, "--quantize", self->alias,
                "onnx-convert's: QInt8, QUInt8, QInt8Static, Float16", "")
      ->check(CLI::IsMember({"QInt8", "QUInt8", "QInt8Static", "Float16"}));
  app.add_flag("--external-data", self->options.external_data,
               "weights into a file of their own; above 2 GiB always");
  app.add_flag("--force", self->options.force, "replace files of a directory that holds some");
  app.add_flag("--explain", self->explain, "what became of every node with weights");
  app.add_option("--threads", self->options.threads, "threads to use (every core)")
      ->type_name("N")
      ->check(CLI::Range(1, 4096));
  command.about =
      "Writes the model in fewer bits. Without --mode: octavo's int8, activations with a scale a "
      "token row, weights with a scale a channel, in standard operators.";
  command.examples = {"octavo quantize models/minilm -o out",
                      "octavo quantize models/minilm -o out --preset avx512_vnni --level 2",
                      "octavo quantize models/minilm -o out --mode static --calibration texts.txt"};
  command.run = [self] { self->run(); };
}

}  // namespace octavo::cli
