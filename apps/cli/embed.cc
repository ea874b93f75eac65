// octavo embed: texts to vectors.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>

#include "flags.h"
#include "format.h"
#include "interrupt.h"
#include "octavo/array_io.h"
#include "progress.h"
#include "verbs.h"

namespace octavo::cli {
namespace {

// Bounds of a piece: what is held in memory at a time.
constexpr std::size_t kChunkTexts = 4096;
constexpr std::size_t kChunkBytes = 16u << 20;

struct EmbedCommand {
  explicit EmbedCommand(Context& the_context) : context(the_context) {}

  Context& context;
  std::string model, output, type = "float32", format = "auto";
  std::vector<std::string> inputs;
  EmbedderOptions options{};
  PromptFlags prompts{};

  void run() {
    const EmbeddingType element = parse_embedding_type(type);
    const bool to_stdout = output.empty() || output == "-";
    if (!to_stdout) (void)embedding_format(output);
    TextReader reader(inputs, parse_text_format(format), interrupted);
    Embedder embedder = Embedder::load(model, options);
    const auto& role = prompts.query ? prompts.query : prompts.document;
    const std::string prompt = role ? *role : text_prompt(prompts, embedder);
    explain_terminal_input(context.console, inputs, "texts");

    EmbedStats stats;
    double seconds = 0;
    {
      Interruptible guard;
      Progress progress(context.console);
      const NextEmbeddings next = [&](EmbeddingChunk& chunk) {
        const auto start = std::chrono::steady_clock::now();
        const bool more = next_chunk(reader, embedder, prompt, progress, stats, chunk);
        seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        return more;
      };
      if (to_stdout) {
        write_embeddings_jsonl(context.console.out(), embedder.dimensions(), element, next);
      } else {
        write_embeddings(output, embedder.dimensions(), element, next);
      }
    }
    context.console.flush();
    report(embedder, prompt, stats, seconds, to_stdout);
  }

  bool next_chunk(TextReader& reader, Embedder& embedder, const std::string& prompt,
                  Progress& progress, EmbedStats& stats, EmbeddingChunk& chunk) {
    std::vector<std::string> texts;
    chunk.ids.clear();
    const std::size_t bytes_before = reader.bytes_done();
    TextRecord record;
    while (texts.size() < kChunkTexts && reader.bytes_done() - bytes_before < kChunkBytes &&
           reader.next(record)) {
      texts.push_back(record.require_text());
      chunk.ids.push_back({record.id_key, record.id_json});
    }
    if (texts.empty()) return false;
    const auto total = reader.bytes_total();
    const auto whole = static_cast<double>(std::max<std::size_t>(total.value_or(0), 1));
    const double from = static_cast<double>(bytes_before) / whole;
    const double share = static_cast<double>(reader.bytes_done()) / whole - from;
    const auto show = [&](std::size_t done, std::size_t count, std::size_t tokens) {
      const double part = static_cast<double>(done) / static_cast<double>(count);
      return progress.update("texts", stats.texts + done, stats.tokens + tokens,
                             total ? from + share * part : -1.0);
    };
    if (!show(0, texts.size(), 0)) throw Error(ErrorCode::kCancelled, "embedding was stopped");
    EmbedStats own;
    chunk.rows = embedder.embed(texts, prompt, &own, show);
    stats.texts += own.texts;
    stats.tokens += own.tokens;
    stats.truncated += own.truncated;
    return true;
  }

  void report(const Embedder& embedder, const std::string& prompt, const EmbedStats& stats,
              double seconds, bool to_stdout) {
    Console& console = context.console;
    if (stats.texts == 0) console.warn("there was no text to embed");
    warn_truncated(console, stats.truncated, stats.texts, "text", embedder.max_length(),
                   embedder.max_length_limit());
    if (console.json) {
      const Json document = {
          {"texts", stats.texts},
          {"tokens", stats.tokens},
          {"truncated", stats.truncated},
          {"max_length", embedder.max_length()},
          {"dimensions", embedder.dimensions()},
          {"type", type},
          {"pooling", pooling_text(embedder)},
          {"normalize", embedder.normalize()},
          {"prompt", prompt},
          {"seconds", seconds},
          {"tokens_per_second", seconds > 0 ? static_cast<double>(stats.tokens) / seconds : 0.0},
          {"isa", embedder.isa()},
          {"threads", embedder.threads()},
          {"output", to_stdout ? Json(nullptr) : Json(output)}};
      // The vectors have standard output to themselves.
      if (to_stdout) {
        console.note(to_text(document, -1));
      } else {
        console.print_json(document);
      }
      return;
    }
    if (!to_stdout || console.error_is_terminal()) {
      console.note(fmt::format(
          "{}, {}, {} dimensions{}: {}", plural(stats.texts, "text"), plural(stats.tokens, "token"),
          embedder.dimensions(), to_stdout ? "" : " -> " + output,
          speed_text(stats.tokens, seconds, embedder.isa(), embedder.threads())));
    }
  }
};

}  // namespace

void define_embed(Command& command, Context& context) {
  const auto self = std::make_shared<EmbedCommand>(context);
  CLI::App& app = command.app;
  add_model(app, self->model);
  app.add_option("INPUT", self->inputs, "files with a text a line; standard input without")
      ->group("Arguments");
  app.add_option("-o,--output", self->output, ".npy, .jsonl or .safetensors; else JSONL on stdout")
      ->type_name("FILE");
  app.add_option("--type", self->type, "float32, int8, uint8, binary or ubinary")
      ->type_name("T")
      ->check(CLI::IsMember({"float32", "int8", "uint8", "binary", "ubinary"}));
  add_format_flag(app, self->format);
  add_prompt_flags(app, self->prompts);
  add_role_prompt_flags(app, self->prompts);
  const char* const one_of[] = {"--prompt", "--prompt-name", "--query-prompt", "--document-prompt"};
  for (const char* first : one_of) {  // the texts of a call have one role
    for (const char* second : one_of) {
      if (first != second) app.get_option(first)->excludes(app.get_option(second));
    }
  }
  add_embedder_flags(app, context, self->options);
  command.about =
      "A line is plain text, a JSON string, or {\"text\": ..., \"id\": ...}; ids are kept in "
      "JSONL. "
      "Row n of the output belongs to line n.";
  command.examples = {"octavo embed models/minilm texts.txt -o vectors.npy",
                      "octavo embed models/minilm < corpus.jsonl > vectors.jsonl",
                      "octavo embed models/e5 --prompt \"query: \" queries.txt -o queries.npy"};
  command.run = [self] { self->run(); };
}

}  // namespace octavo::cli
