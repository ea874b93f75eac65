// octavo quantize: a model in fewer bits, as an ONNX file.
#include "octavo/quantize.h"

#include <fmt/format.h>

#include <memory>

#include "format.h"
#include "interrupt.h"
#include "octavo/evaluation.h"
#include "octavo/quantize_report.h"
#include "quality_progress.h"
#include "quantize_flags.h"
#include "quantize_output.h"
#include "verbs.h"

namespace octavo::cli {
namespace {

double score(Embedder& embedder, const QuantizeFlags& flags, QualityProgress& progress) {
  RetrievalOptions retrieval{.query_prompt = query_prompt(flags.prompts, embedder),
                             .document_prompt = document_prompt(flags.prompts, embedder)};
  retrieval.progress = [&](std::string_view stage, std::size_t done, std::size_t total,
                           std::size_t) { return progress.texts(stage, done, total); };
  return evaluate_retrieval(embedder, flags.data_set, retrieval).scores.mean.at("ndcg_at_10");
}

/// What a score depends on beside the model and its files.
std::string score_identity(const QuantizeFlags& flags) {
  if (flags.data_set.empty()) return {};
  const auto said = [](const std::optional<std::string>& prompt) {
    return prompt ? fmt::format("{}:{}", prompt->size(), *prompt) : std::string("-");
  };
  return fmt::format("ndcg_at_10 {} {} {}", dataset_digest(flags.data_set),
                     said(flags.prompts.query), said(flags.prompts.document));
}

/// The same for people, and what the model itself decides.
std::map<std::string, std::string> describe_score(const QuantizeFlags& flags,
                                                  const Embedder& embedder) {
  return {{"metric", "ndcg_at_10"},
          {"data_set", dataset_name(flags.data_set)},
          {"data_set_sha256", dataset_digest(flags.data_set)},
          {"split", RetrievalOptions{}.split},
          {"pooling", pooling_text(embedder)},
          {"query_prompt", query_prompt(flags.prompts, embedder)},
          {"document_prompt", document_prompt(flags.prompts, embedder)},
          {"max_length", std::to_string(embedder.max_length())}};
}

QuantizeResult quantize(Context& context, QuantizeFlags& flags) {
  QuantizeModelOptions& options = flags.options;
  const Interruptible guard;
  Progress progress(context.console);
  QualityProgress quality(progress);
  options.cancelled = interrupted;
  options.calibration.progress = [&](std::size_t done, std::size_t total, std::size_t tokens) {
    return progress.update(
        "calibration texts", done, tokens,
        total == 0 ? -1.0 : static_cast<double>(done) / static_cast<double>(total));
  };
  options.study_progress = [&](std::string_view stage, std::size_t done, std::size_t total) {
    return quality.stage(stage, done, total);
  };
  options.evaluated = [&](const QualityStep& step) { quality.evaluated(step); };
  options.score = [&](Embedder& embedder) { return score(embedder, flags, quality); };
  options.score_identity = score_identity(flags);
  options.describe_score = [&](const Embedder& model) { return describe_score(flags, model); };
  return quantize_model(flags.model, flags.directory, options);
}

void run(Context& context, QuantizeFlags& flags) {
  resolve(flags);
  if (flags.skip_shape_inference) {
    context.console.note(
        "octavo: --skip_shape_inference skips nothing here, where shapes are not inferred by "
        "another tool; as in onnx-convert, nothing is optimised (level 0)");
  }
  check_place_of("report", "--report", flags.report);
  check_place_of("calibration cache", "--calibration-cache", flags.options.calibration.cache);
  const QuantizeResult result = quantize(context, flags);
  if (!flags.report.empty()) {
    write_quantize_report(flags.report, flags.model, flags.options, result, context.command_line);
  }
  constexpr std::size_t kSteady = 100;
  if (result.calibration_samples != 0 && result.calibration_samples < kSteady) {
    context.console.warn(fmt::format("ranges come from {}; with {} and more they are steadier",
                                     plural(result.calibration_samples, "text"), kSteady));
  }
  for (const std::string& remark : result.remarks) context.console.warn(remark);
  if (context.console.json) return context.console.print_json(quantize_json(flags, result));
  print_quantize_text(context.console, flags, result);
  if (!flags.report.empty()) context.console.note("octavo: report written to " + flags.report);
}

}  // namespace

void define_quantize(Command& command, Context& context) {
  const auto flags = std::make_shared<QuantizeFlags>();
  add_quantize_flags(command.app, context, *flags);
  const CLI::App& app = command.app;
  command.about =
      "Writes the model in fewer bits. Without --mode: octavo's int8, activations with a scale a "
      "token row, weights with a scale a channel, in standard operators.";
  command.examples = {"octavo quantize models/minilm -o out",
                      "octavo quantize models/minilm -o out --preset avx512_vnni --level 2",
                      "octavo quantize models/minilm -o out --mode static --calibration texts.txt"};
  command.run = [&context, &app, flags] {
    flags->options.said = said_options(app);
    run(context, *flags);
  };
}

}  // namespace octavo::cli
