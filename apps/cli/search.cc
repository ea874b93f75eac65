// octavo search: queries answered from a file of passages.
#include <fmt/format.h>

#include <chrono>
#include <memory>

#include "flags.h"
#include "format.h"
#include "interrupt.h"
#include "octavo/passage_search.h"
#include "progress.h"
#include "verbs.h"

namespace octavo::cli {
namespace {

struct SearchCommand {
  explicit SearchCommand(Context& the_context) : context(the_context) {}

  Context& context;
  std::string model, corpus, cache;
  std::vector<std::string> queries;
  std::size_t top_k = 3;
  bool no_cache = false;
  EmbedderOptions options{};
  PromptFlags prompts{};

  void run() {
    const auto start = std::chrono::steady_clock::now();
    const Interruptible guard;
    const std::vector<Passage> passages = read_passages(corpus);
    if (passages.empty()) {
      throw Error(ErrorCode::kInvalidFile, {.message = "there is no passage in the file",
                                            .file = corpus,
                                            .expected = "lines {\"_id\", \"title\", \"text\"}",
                                            .fix = "give a corpus.jsonl with at least one line"});
    }
    Embedder embedder = Embedder::load(model, options);
    PassageSearchOptions how;
    how.query_prompt = query_prompt(prompts, embedder);
    how.document_prompt = document_prompt(prompts, embedder);
    how.top_k = top_k;
    if (cache.empty() && !context.cache_directory.empty())
      cache = context.cache_directory + "/embeddings";
    if (!no_cache) how.cache_directory = cache;
    Progress progress(context.console);
    how.progress = [&](std::string_view stage, std::size_t done, std::size_t total,
                       std::size_t tokens) {
      return progress.update(
          stage, done, tokens,
          total == 0 ? -1.0 : static_cast<double>(done) / static_cast<double>(total));
    };
    const PassageSearchResult result = search_passages(embedder, passages, queries, how);
    progress.clear();
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (context.console.json) {
      print_json(passages, result, embedder, seconds);
    } else {
      print_text(passages, result);
    }
    context.console.flush();
    warn_truncated(context.console, result.truncated_passages, passages.size(), "passage",
                   embedder.max_length(), embedder.max_length_limit());
    warn_truncated(context.console, result.truncated_queries, queries.size(), "query",
                   embedder.max_length(), embedder.max_length_limit());
    context.console.note(fmt::format(
        "{} passages, {} of them from the cache, {:.2f} s in all; {}",
        group_digits(passages.size()), group_digits(result.cached), seconds,
        speed_text(result.tokens, result.embed_seconds, embedder.isa(), embedder.threads())));
  }

  void print_text(const std::vector<Passage>& passages, const PassageSearchResult& result) {
    constexpr std::size_t width = 80, indent = 9;
    Console& console = context.console;
    for (std::size_t q = 0; q < queries.size(); ++q) {
      console.out() << (q > 0 ? "\n" : "") << console.strong(queries[q]) << '\n';
      for (const PassageHit& hit : result.hits[q]) {
        const Passage& passage = passages[hit.passage];
        const std::string body =
            passage.title.empty() ? passage.text : passage.title + ": " + passage.text;
        console.out() << fmt::format("  {:.3f}  {}\n", hit.score,
                                     wrap(excerpt(body), width, indent, indent));
      }
    }
  }

  // The beginning of a long passage, cut between words.
  static std::string excerpt(const std::string& text) {
    constexpr std::size_t most = 280;
    if (text.size() <= most) return text;
    const std::size_t cut = text.rfind(' ', most);
    if (cut != std::string::npos && cut > most / 2) return text.substr(0, cut) + " ...";
    std::size_t end = most;
    while (end > 0 && (text[end] & 0xC0) == 0x80) --end;
    return text.substr(0, end) + " ...";
  }

  void print_json(const std::vector<Passage>& passages, const PassageSearchResult& result,
                  const Embedder& embedder, double seconds) {
    Json answers = Json::array();
    for (std::size_t q = 0; q < queries.size(); ++q) {
      Json hits = Json::array();
      for (const PassageHit& hit : result.hits[q]) {
        const Passage& passage = passages[hit.passage];
        hits.push_back({{"id", passage.id},
                        {"score", shortest(hit.score)},
                        {"title", passage.title},
                        {"text", passage.text}});
      }
      answers.push_back({{"query", queries[q]}, {"hits", std::move(hits)}});
    }
    context.console.print_json(
        {{"results", std::move(answers)},
         {"similarity", result.similarity},
         {"passages", passages.size()},
         {"cached", result.cached},
         {"tokens", result.tokens},
         {"truncated", result.truncated_passages + result.truncated_queries},
         {"query_prompt", query_prompt(prompts, embedder)},
         {"document_prompt", document_prompt(prompts, embedder)},
         {"seconds", seconds},
         {"tokens_per_second", result.embed_seconds > 0
                                   ? static_cast<double>(result.tokens) / result.embed_seconds
                                   : 0.0},
         {"isa", embedder.isa()},
         {"threads", embedder.threads()}});
  }
};

}  // namespace

void define_search(Command& command, Context& context) {
  const auto self = std::make_shared<SearchCommand>(context);
  CLI::App& app = command.app;
  add_model(app, self->model);
  app.add_option("--corpus", self->corpus, "a file with {\"_id\", \"title\", \"text\"} a line")
      ->type_name("FILE")
      ->required();
  app.add_option("--query", self->queries, "a question; may be given more than once")
      ->type_name("TEXT")
      ->required()
      ->allow_extra_args(false);
  app.add_option("--top-k", self->top_k, "passages a query (3)")
      ->type_name("K")
      ->check(CLI::PositiveNumber);
  app.add_option("--cache", self->cache, "where embeddings are kept (~/.cache/octavo/embeddings)")
      ->type_name("DIR");
  app.add_flag("--no-cache", self->no_cache, "keep none");
  add_role_prompt_flags(app, self->prompts);
  add_prompt_flags(app, self->prompts);
  add_embedder_flags(app, context, self->options);
  command.about =
      "Every passage is compared with every query. Embeddings of passages are cached by model and "
      "text: the next search of the same corpus answers at once.";
  command.examples = {
      "octavo search models/minilm --corpus corpus.jsonl --query \"red wine\"",
      "octavo search models/minilm --corpus corpus.jsonl --query a --query b --json",
      "octavo search models/e5 --corpus c.jsonl --query a --query-prompt \"query: \""};
  command.run = [self] { self->run(); };
}

}  // namespace octavo::cli
