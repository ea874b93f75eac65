#include "flags.h"

#include <fmt/format.h>
#include <unistd.h>

#include <charconv>
#include <filesystem>
#include <initializer_list>

#include "format.h"

namespace octavo::cli {
namespace {

// Sets an optional when the flag is there.
template <typename T>
CLI::Option* add_optional(CLI::App& app, const std::string& name, std::optional<T>& target,
                          const std::string& help) {
  return app
      .add_option_function<T>(
          name, [&target](const T& value) { target = value; }, help)
      ->group(kModelGroup);
}

std::string role_prompt(const std::optional<std::string>& own, const PromptFlags& flags,
                        const Embedder& embedder, std::initializer_list<const char*> names) {
  if (own) return *own;
  if (flags.prompt || flags.name) return text_prompt(flags, embedder);
  for (const char* name : names) {
    const auto found = embedder.prompts().find(name);
    if (found != embedder.prompts().end()) return found->second;
  }
  return text_prompt(flags, embedder);
}

}  // namespace

void add_model(CLI::App& app, std::string& model) {
  app.add_option("MODEL", model, "a directory, an .onnx or a .safetensors file")
      ->required()
      ->group("Arguments");
}

void add_runtime_flags(CLI::App& app, const Context& context, RuntimeOptions& options) {
  options.isa = context.isa;
  app.add_option("--threads", options.threads, "threads to use (every core)")
      ->type_name("N")
      ->check(CLI::Range(1, 4096))
      ->group(kModelGroup);
  app.add_option("--precision", options.precision,
                 "fp32, bf16, fp16, int8; auto: as the model asks")
      ->type_name("P")
      ->check(CLI::IsMember({"auto", "fp32", "bf16", "fp16", "int8"}))
      ->group(kModelGroup);
  app.add_flag("--reference", options.reference,
               "round as the file says: as onnxruntime, text by text")
      ->group(kModelGroup);
  app.add_option("--isa", options.isa, "CPU features: native, portable, avx2, avx512, ...")
      ->type_name("LIST")
      ->group(kModelGroup);
  if (!context.cache_directory.empty()) options.plan_cache = context.cache_directory + "/plans";
  auto* kept = app.add_option("--plan-cache", options.plan_cache,
                              "where packed weights are kept (or --no-plan-cache)")
                   ->type_name("DIR")
                   ->group(kModelGroup);
  app.add_flag_function(
         "--no-plan-cache", [&options](std::int64_t) { options.plan_cache.clear(); }, "keep none")
      ->excludes(kept)
      ->group("");  // the line above names it
}

CLI::Option* add_repeated_flag(CLI::App& app, const std::string& name,
                               std::vector<std::string>& target, const std::string& help) {
  return app.add_option(name, target, help)
      ->expected(1)
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

CLI::Option* add_list_flag(CLI::App& app, const std::string& name, std::vector<std::string>& target,
                           const std::string& help) {
  return add_repeated_flag(app, name, target, help)->delimiter(',');
}

std::function<std::string(const std::string&)> at_least(std::size_t least) {
  return [least](const std::string& text) -> std::string {
    std::size_t value = 0;
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    if (error == std::errc() && stop == end && value >= least) return {};
    return fmt::format("'{}' is not a whole number of {} or more", text, least);
  };
}

std::vector<std::string> said_options(const CLI::App& app) {
  std::vector<std::string> out;
  for (const CLI::Option* option : app.get_options()) {
    if (option->count() > 0 && !option->get_lnames().empty())
      out.push_back("--" + option->get_lnames().front());
  }
  return out;
}

void add_tokenizer_flag(CLI::App& app, std::string& tokenizer) {
  app.add_option("--tokenizer", tokenizer, "the tokenizer's file, where it is elsewhere")
      ->type_name("FILE")
      ->group(kModelGroup);
}

void add_max_length(CLI::App& app, std::optional<std::size_t>& max_length) {
  add_optional(app, "--max-length", max_length, "cut what is longer than N tokens")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
}

void add_embedder_flags(CLI::App& app, const Context& context, EmbedderOptions& options) {
  add_runtime_flags(app, context, options.runtime);
  add_tokenizer_flag(app, options.tokenizer);
  app.add_option_function<std::string>(
         "--pooling",
         [&options](const std::string& name) { options.pooling = parse_pooling(name); },
         "cls, mean, max, last_token or another")
      ->type_name("NAME")
      ->group(kModelGroup);
  add_max_length(app, options.max_length);
  add_optional(app, "--dimensions", options.dimensions, "keep the first D, normalized again")
      ->type_name("D")
      ->check(CLI::PositiveNumber);
  app.add_flag_function(
         "--normalize,!--no-normalize",
         [&options](std::int64_t value) { options.normalize = value > 0; },
         "scale vectors to length 1, or do not")
      ->group(kModelGroup);
}

void add_format_flag(CLI::App& app, std::string& format) {
  app.add_option("--format", format, "lines are: auto (JSON or text), text, jsonl")
      ->type_name("F")
      ->check(CLI::IsMember({"auto", "text", "jsonl"}));
}

void add_prompt_flags(CLI::App& app, PromptFlags& flags) {
  auto* prompt = add_optional(app, "--prompt", flags.prompt, "text to put before every input")
                     ->type_name("TEXT");
  add_optional(app, "--prompt-name", flags.name, "a prompt that the model's files name")
      ->type_name("NAME")
      ->excludes(prompt);
}

void add_role_prompt_flags(CLI::App& app, PromptFlags& flags) {
  add_optional(app, "--query-prompt", flags.query, "text to put before every query")
      ->type_name("TEXT");
  add_optional(app, "--document-prompt", flags.document, "text to put before every document")
      ->type_name("TEXT");
}

std::string text_prompt(const PromptFlags& flags, const Embedder& embedder) {
  if (flags.prompt) return *flags.prompt;
  if (flags.name) return embedder.prompt(*flags.name);
  if (const auto name = embedder.default_prompt_name()) return embedder.prompt(*name);
  return {};
}

std::string query_prompt(const PromptFlags& flags, const Embedder& embedder) {
  return role_prompt(flags.query, flags, embedder, {"query"});
}

std::string document_prompt(const PromptFlags& flags, const Embedder& embedder) {
  return role_prompt(flags.document, flags, embedder, {"document", "passage", "corpus"});
}

std::string pooling_text(const Embedder& embedder) {
  std::string out;
  for (const Pooling pooling : embedder.pooling()) {
    if (!out.empty()) out += '+';
    out += pooling_name(pooling);
  }
  return out.empty() ? "none" : out;
}

void warn_truncated(Console& console, std::size_t truncated, std::size_t total,
                    std::string_view noun, std::size_t max_length,
                    std::optional<std::size_t> limit) {
  if (truncated == 0) return;
  std::string advice = "--max-length changes the limit";
  if (limit && *limit > max_length)
    advice = fmt::format("--max-length raises the limit up to {}", group_digits(*limit));
  if (limit && *limit <= max_length) advice = "the model takes no more";
  console.warn(fmt::format("{} of {} {} longer than {} tokens and {} cut; {}",
                           group_digits(truncated), plural(total, noun),
                           truncated == 1 ? "was" : "were", group_digits(max_length),
                           truncated == 1 ? "was" : "were", advice));
}

std::string precision_text(const ModelSummary& summary) {
  if (summary.asked_precision.empty()) return summary.precision;
  if (summary.asked_precision == summary.precision)
    return summary.precision + ", as the model asks";
  return fmt::format("{} (the model asks for {})", summary.precision, summary.asked_precision);
}

Json layer_json(const LayerSensitivity& layer) {
  Json out = {{"node", layer.node},
              {"place", layer.place},
              {"cosine", layer.cosine},
              {"sqnr_db", layer.sqnr_db}};
  if (layer.score_loss) out["score_loss"] = *layer.score_loss;
  return out;
}

Json values_json(const std::vector<ModelInput>& values) {
  Json out = Json::array();
  for (const ModelInput& value : values)
    out.push_back({{"name", value.name}, {"dtype", value.dtype}, {"shape", value.shape}});
  return out;
}

void check_place_of(const std::string& what, const std::string& flag, const std::string& file) {
  if (file.empty()) return;
  namespace fs = std::filesystem;
  const fs::path folder = fs::path(file).parent_path();
  std::error_code error;
  if (!folder.empty() && !fs::is_directory(folder, error)) {
    throw Error(ErrorCode::kNotFound, {.message = "the folder of the " + what + " does not exist",
                                       .file = file,
                                       .fix = "create it, or give " + flag + " another path"});
  }
  if (fs::is_directory(file, error)) {
    throw Error(ErrorCode::kInvalidArgument,
                {.message = "the " + what + " would replace a directory",
                 .file = file,
                 .expected = "a file",
                 .found = "a directory",
                 .fix = "give " + flag + " a file in it"});
  }
  const std::string probe = file + ".tmp-" + std::to_string(::getpid());
  const bool made = fs::create_directory(probe, error);
  if (made) fs::remove(probe, error);
  if (made) return;
  throw Error(ErrorCode::kIo,
              {.message = "the " + what + " cannot be written: " + error.message(),
               .file = file,
               .fix = "check the permissions of the folder, or give " + flag + " another path"});
}

std::string speed_text(std::size_t tokens, double seconds, const std::string& isa, int threads) {
  const double rate = seconds > 0 ? static_cast<double>(tokens) / seconds : 0;
  return fmt::format("{} tokens/s with {}, {}", group_digits(static_cast<std::size_t>(rate)), isa,
                     plural(static_cast<std::size_t>(threads), "thread"));
}

void explain_terminal_input(Console& console, const std::vector<std::string>& paths,
                            std::string_view what) {
  if (paths.empty() && ::isatty(STDIN_FILENO) == 1)
    console.note(fmt::format("octavo: type {}, one a line; Ctrl-D ends", what));
}

}  // namespace octavo::cli
