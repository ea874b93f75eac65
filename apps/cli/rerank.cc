// octavo rerank: documents in the order of their relevance to a query.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>

#include "flags.h"
#include "format.h"
#include "interrupt.h"
#include "octavo/reranker.h"
#include "verbs.h"

namespace octavo::cli {
namespace {

ScoreActivation parse_activation(const std::string& name) {
  if (name == "none") return ScoreActivation::kNone;
  if (name == "sigmoid") return ScoreActivation::kSigmoid;
  return ScoreActivation::kDefault;
}

struct RerankCommand {
  explicit RerankCommand(Context& the_context) : context(the_context) {}

  Context& context;
  std::string model, format = "auto", activation = "default";
  std::optional<std::string> query{};
  std::vector<std::string> inputs;
  std::optional<std::size_t> max_length{}, top_n{};
  bool pairs = false;
  RerankerOptions options{};

  void run() {
    if (pairs == query.has_value()) {
      throw Error(ErrorCode::kInvalidArgument,
                  ErrorInfo{.message = pairs ? "--query and --pairs exclude each other"
                                             : "rerank: --query is required",
                            .fix = "give one query with --query, or a query a line with --pairs"});
    }
    options.max_length = max_length.value_or(0);
    options.activation = parse_activation(activation);
    TextReader reader(inputs, pairs ? TextFormat::kJsonl : parse_text_format(format), interrupted);
    Reranker reranker = Reranker::load(model, options);
    explain_terminal_input(context.console, inputs, "documents");
    RerankStats stats;
    const auto start = std::chrono::steady_clock::now();
    if (pairs) {
      score_pairs(reader, reranker, stats);
    } else {
      rank_documents(reader, reranker, stats);
    }
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    context.console.flush();
    warn_truncated(context.console, stats.truncated, stats.pairs, "pair", reranker.max_length(),
                   reranker.max_length_limit());
    if (context.console.error_is_terminal() && !context.console.json)
      context.console.note(
          fmt::format("{}: {}", plural(stats.pairs, "pair"),
                      speed_text(stats.tokens, seconds, reranker.isa(), reranker.threads())));
  }

  void rank_documents(TextReader& reader, Reranker& reranker, RerankStats& stats) {
    std::vector<std::string> documents;
    std::vector<Json> ids;
    TextRecord record;
    while (reader.next(record)) {
      documents.push_back(record.require_text());
      ids.push_back(record.id_key.empty() ? Json(nullptr) : Json::parse(record.id_json));
    }
    std::vector<RankedDocument> ranked = reranker.rank(*query, documents, &stats);
    ranked.resize(std::min(ranked.size(), top_n.value_or(ranked.size())));
    Console& console = context.console;
    if (console.json) {
      Json list = Json::array();
      for (const RankedDocument& document : ranked) {
        Json row = {{"index", document.index}, {"score", shortest(document.score)}};
        if (!ids[document.index].is_null()) row["id"] = ids[document.index];
        list.push_back(std::move(row));
      }
      console.print_json(list);
      return;
    }
    for (const RankedDocument& document : ranked)
      console.out() << fmt::format("{:.6f}\t{}\t{}\n", document.score, document.index,
                                   documents[document.index]);
  }

  // Lines of the same query that follow each other are scored together.
  void score_pairs(TextReader& reader, Reranker& reranker, RerankStats& stats) {
    constexpr std::size_t most = 256;
    std::string current;
    std::vector<std::string> documents;
    std::vector<TextRecord> records;
    const auto flush = [&] {
      if (documents.empty()) return;
      RerankStats own;
      const std::vector<float> scores = reranker.score(current, documents, &own);
      stats.pairs += own.pairs;
      stats.tokens += own.tokens;
      stats.truncated += own.truncated;
      const std::size_t labels = reranker.labels();
      for (std::size_t i = 0; i < documents.size(); ++i)
        print_pair(records[i], &scores[i * labels], labels);
      documents.clear();
      records.clear();
    };
    TextRecord record;
    while (reader.next(record)) {
      if (!record.query) {
        throw Error(ErrorCode::kInvalidFile, {.message = "the record has no query",
                                              .file = record.file,
                                              .place = "line " + std::to_string(record.line),
                                              .expected = "{\"query\": ..., \"text\": ...}",
                                              .fix = "give every line both keys"});
      }
      if (*record.query != current || documents.size() == most) flush();
      current = *record.query;
      documents.push_back(record.require_text());
      records.push_back(record);
    }
    flush();
  }

  void print_pair(const TextRecord& record, const float* scores, std::size_t labels) {
    Json row = Json::object();
    if (!record.id_key.empty()) row[record.id_key] = Json::parse(record.id_json);
    row["score"] = shortest(scores[labels - 1]);
    if (labels > 1) {
      row["scores"] = Json::array();
      for (std::size_t i = 0; i < labels; ++i) row["scores"].push_back(shortest(scores[i]));
    }
    context.console.out() << to_text(row, -1) << '\n';
  }
};

}  // namespace

void define_rerank(Command& command, Context& context) {
  const auto self = std::make_shared<RerankCommand>(context);
  CLI::App& app = command.app;
  add_model(app, self->model);
  app.add_option("INPUT", self->inputs, "files with a document a line; standard input without")
      ->group("Arguments");
  app.add_option_function<std::string>(
         "--query", [self](const std::string& text) { self->query = text; }, "the query")
      ->type_name("TEXT");
  app.add_flag("--pairs", self->pairs,
               "lines are {\"query\": ..., \"text\": ...}; a line {\"score\": s} for each");
  app.add_option_function<std::size_t>(
         "--top-n", [self](const std::size_t& n) { self->top_n = n; }, "print the best N alone")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  app.add_option("--activation", self->activation, "of scores: default, none or sigmoid")
      ->type_name("A")
      ->check(CLI::IsMember({"default", "none", "sigmoid"}));
  add_format_flag(app, self->format);
  add_runtime_flags(app, context, self->options.runtime);
  add_tokenizer_flag(app, self->options.tokenizer);
  add_max_length(app, self->max_length);
  command.about =
      "MODEL is a cross-encoder (...ForSequenceClassification). Prints score, position and text, "
      "best first; with --json [{\"index\": i, \"score\": s}, ...].";
  command.examples = {"octavo rerank models/reranker --query \"red wine\" documents.txt",
                      "octavo rerank models/reranker --query \"red wine\" --top-n 5 --json < d.txt",
                      "octavo rerank models/reranker --pairs < pairs.jsonl > scores.jsonl"};
  command.run = [self] { self->run(); };
}

}  // namespace octavo::cli
