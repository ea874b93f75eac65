// Flags that several verbs share, and what they resolve to.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "command.h"
#include "octavo/embedder.h"
#include "octavo/model.h"
#include "octavo/quantize.h"
#include "octavo/runtime_options.h"
#include "octavo/text_input.h"

namespace octavo::cli {

inline constexpr const char* kModelGroup = "Model options";

void add_model(CLI::App& app, std::string& model);
/// --threads, --precision, --reference, --isa (its default is OCTAVO_ISA), --plan-cache,
/// --no-plan-cache.
void add_runtime_flags(CLI::App& app, const Context& context, RuntimeOptions& options);
/// An option that may be given again. Each takes one argument, so that the model may follow.
CLI::Option* add_repeated_flag(CLI::App& app, const std::string& name,
                               std::vector<std::string>& target, const std::string& help);
/// The same where an argument is a list with commas.
CLI::Option* add_list_flag(CLI::App& app, const std::string& name, std::vector<std::string>& target,
                           const std::string& help);
/// add_runtime_flags() and --tokenizer, --pooling, --max-length, --dimensions, --[no-]normalize.
void add_embedder_flags(CLI::App& app, const Context& context, EmbedderOptions& options);
/// --max-length of a verb that has no EmbedderOptions.
void add_max_length(CLI::App& app, std::optional<std::size_t>& max_length);
/// A check of a flag's value: a whole number, `least` or more.
std::function<std::string(const std::string&)> at_least(std::size_t least);
/// The options that were on the command line, each by its first long name: "--per-channel".
std::vector<std::string> said_options(const CLI::App& app);
void add_tokenizer_flag(CLI::App& app, std::string& tokenizer);
/// --format {auto,text,jsonl}.
void add_format_flag(CLI::App& app, std::string& format);

/// What the user said about the text put before every input.
struct PromptFlags {
  std::optional<std::string> prompt, name, query, document;
};
/// --prompt and --prompt-name.
void add_prompt_flags(CLI::App& app, PromptFlags& flags);
/// --query-prompt and --document-prompt.
void add_role_prompt_flags(CLI::App& app, PromptFlags& flags);

/// The prompt for texts without a role: --prompt, --prompt-name, or the model's default.
std::string text_prompt(const PromptFlags& flags, const Embedder& embedder);
/// For queries and documents: their own flag, then --prompt or --prompt-name, then the model's
/// prompt of that role ("query"; "document", "passage", "corpus"), then the model's default.
std::string query_prompt(const PromptFlags& flags, const Embedder& embedder);
std::string document_prompt(const PromptFlags& flags, const Embedder& embedder);

/// "mean", "cls+mean", or "none" for a model that pools by itself.
std::string pooling_text(const Embedder& embedder);

/// "3 of 120 texts were longer than 256 tokens and were cut; ..." as a warning; nothing for none.
/// `limit` is what --max-length may say at most, where something limits it.
void warn_truncated(Console& console, std::size_t truncated, std::size_t total,
                    std::string_view noun, std::size_t max_length,
                    std::optional<std::size_t> limit);

/// "int8, as the model asks", "fp32 (the model asks for int8)", "fp32".
std::string precision_text(const ModelSummary& summary);

/// A row of a table of layers.
Json layer_json(const LayerSensitivity& layer);

/// Inputs or outputs of a model.
Json values_json(const std::vector<ModelInput>& values);

/// A run can take minutes: that a file of `flag` ("--report"), which is a `what` ("report"), has no
/// folder to go to is said before, or that nothing can be written there. Error(kNotFound),
/// kInvalidArgument, kIo; no path is no file.
void check_place_of(const std::string& what, const std::string& flag, const std::string& file);

/// "3,450 tokens/s with avx2+avx512, 2 threads".
std::string speed_text(std::size_t tokens, double seconds, const std::string& isa, int threads);

/// A remark where the user would otherwise wait for a program that waits for the user.
void explain_terminal_input(Console& console, const std::vector<std::string>& paths,
                            std::string_view what);

}  // namespace octavo::cli
