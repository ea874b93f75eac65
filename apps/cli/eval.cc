// octavo eval: quality on retrieval, reranking and similarity data sets.
#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <memory>

#include "flags.h"
#include "format.h"
#include "interrupt.h"
#include "octavo/evaluation.h"
#include "octavo/reranker.h"
#include "progress.h"
#include "verbs.h"

namespace octavo::cli {
namespace {

constexpr const char* kResultGroup = "Results";

struct EvalCommand {
  explicit EvalCommand(Context& the_context) : context(the_context) {}

  Context& context;
  std::string model, dataset, sts, rerank_run;
  std::string split = "test";
  std::string cache, per_query, run_file, mteb_json, task_name;
  bool no_cache = false, ignore_identical_ids = false;
  std::size_t top_k = 1000, top_n = 100;
  EmbedderOptions options{};
  PromptFlags prompts{};
  std::chrono::steady_clock::time_point start{};

  /// Options that say nothing in a mode are refused: their results would be taken for others.
  static void refuse(const CLI::App& app, const std::string& mode,
                     std::initializer_list<const char*> names, const std::string& fix) {
    for (const char* name : names) {
      if (app.count(name) == 0) continue;
      throw Error(ErrorCode::kInvalidArgument,
                  ErrorInfo{.message = std::string(name) + " says nothing " + mode, .fix = fix});
    }
  }

  void check_mode(const CLI::App& app) const {
    if (!sts.empty()) {
      return refuse(app, "with --sts",
                    {"--rerank-run", "--per-query", "--run-file", "--top-k", "--top-n",
                     "--ignore-identical-ids", "--query-prompt", "--document-prompt"},
                    "leave it out; the text before both sentences is --prompt");
    }
    if (rerank_run.empty())
      return refuse(app, "without --rerank-run", {"--top-n"}, "leave it out, or say --top-k");
    refuse(app, "with --rerank-run",
           {"--top-k", "--prompt", "--prompt-name", "--query-prompt", "--document-prompt",
            "--pooling", "--dimensions", "--normalize"},
           "leave it out: a cross-encoder reads pairs; --top-n is how many");
  }

  void run(const CLI::App& app) {
    const int asked = (dataset.empty() ? 0 : 1) + (sts.empty() ? 0 : 1);
    if (asked != 1) {
      throw Error(ErrorCode::kInvalidArgument,
                  ErrorInfo{.message = asked == 0 ? "eval: there is nothing to evaluate on"
                                                  : "--dataset and --sts exclude each other",
                            .fix = "give --dataset DIR (a BEIR directory) or --sts FILE"});
    }
    check_mode(app);
    if (cache.empty() && !context.cache_directory.empty())
      cache = context.cache_directory + "/embeddings";
    if (no_cache) cache.clear();
    start = std::chrono::steady_clock::now();
    const Interruptible guard;
    if (!sts.empty()) return evaluate_similarity();
    if (!rerank_run.empty()) return evaluate_reranking();
    evaluate_documents();
  }

  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }

  static EvaluationProgress reporter(Progress& progress) {
    return [&progress](std::string_view stage, std::size_t done, std::size_t total,
                       std::size_t tokens) {
      return progress.update(
          stage, done, tokens,
          total == 0 ? -1.0 : static_cast<double>(done) / static_cast<double>(total));
    };
  }

  static void add_metrics(Json& document, const MetricValues& metrics) {
    for (const auto& [name, value] : metrics) document[name] = value;
  }

  void write_files(const RankingScores& scores, const RetrievalRun& found) const {
    if (!per_query.empty()) write_query_scores(per_query, scores);
    if (!run_file.empty()) write_run_file(run_file, found);
  }

  void write_mteb(const MetricValues& metrics, const std::string& main_score,
                  const std::string& source, const Json& document) const {
    if (mteb_json.empty()) return;
    MtebResult result;
    result.task_name = task_name.empty() ? source : task_name;
    result.split = split;
    result.main_score = main_score;
    result.metrics = metrics;
    result.evaluation_seconds = seconds();
    for (const auto& [key, value] : document.items()) {
      if (!metrics.contains(key))
        result.details.emplace_back(
            key, value.is_string() ? value.get<std::string>() : to_text(value, -1));
    }
    write_mteb_result(mteb_json, result);
  }

  void print_table(const std::vector<std::pair<std::string, std::string>>& metrics) {
    Table table({"metric", "value"});
    for (const auto& [name, value] : metrics) table.add({name, value});
    context.console.out() << table.text();
  }

  static std::vector<std::pair<std::string, std::string>> main_metrics(const MetricValues& mean) {
    std::vector<std::pair<std::string, std::string>> out;
    for (const char* name : {"ndcg_at_10", "map_at_1000", "mrr_at_10", "recall_at_100",
                             "precision_at_10", "ndcg_at_100"}) {
      const auto found = mean.find(name);
      if (found != mean.end()) out.emplace_back(name, fmt::format("{:.5f}", found->second));
    }
    return out;
  }

  void evaluate_documents() {
    Embedder embedder = Embedder::load(model, options);
    RetrievalOptions how;
    how.split = split;
    how.query_prompt = query_prompt(prompts, embedder);
    how.document_prompt = document_prompt(prompts, embedder);
    how.top_k = top_k;
    how.cache_directory = cache;
    how.ignore_identical_ids = ignore_identical_ids;
    Progress progress(context.console);
    how.progress = reporter(progress);
    const RetrievalResult result = evaluate_retrieval(embedder, dataset, how);
    progress.clear();

    Json document = {{"documents", result.documents},
                     {"queries", result.queries},
                     {"judgements", result.judgements},
                     {"unjudged_queries", result.unjudged_queries},
                     {"missing_queries", result.missing_queries},
                     {"missing_documents", result.missing_documents},
                     {"queries_without_results", result.scores.queries_without_results},
                     {"truncated", result.truncated_documents + result.truncated_queries},
                     {"truncated_documents", result.truncated_documents},
                     {"truncated_queries", result.truncated_queries},
                     {"max_length", embedder.max_length()},
                     {"cached", result.cached},
                     {"tokens", result.tokens},
                     {"seconds", seconds()},
                     {"similarity", result.similarity},
                     {"pooling", pooling_text(embedder)},
                     {"dimensions", embedder.dimensions()},
                     {"query_prompt", how.query_prompt},
                     {"document_prompt", how.document_prompt},
                     {"split", split},
                     {"model_digest", embedder.digest()},
                     {"precision", embedder.precision()},
                     {"isa", embedder.isa()},
                     {"threads", embedder.threads()}};
    write_files(result.scores, result.run);
    write_mteb(result.scores.mean, "ndcg_at_10", dataset_name(dataset), document);
    warn_truncated(context.console, result.truncated_documents, result.documents, "document",
                   embedder.max_length(), embedder.max_length_limit());
    warn_truncated(context.console, result.truncated_queries, result.queries, "query",
                   embedder.max_length(), embedder.max_length_limit());
    if (result.missing_documents + result.missing_queries > 0)
      context.console.warn(fmt::format("the judgements name {} and {} that the data set lacks",
                                       plural(result.missing_documents, "document"),
                                       plural(result.missing_queries, "query")));
    if (context.console.json) {
      Json all = Json::object();
      add_metrics(all, result.scores.mean);
      all.update(document);
      return context.console.print_json(all);
    }
    print_table(main_metrics(result.scores.mean));
    context.console.out() << fmt::format(
        "\n{} documents, {} queries ({}), {} from the cache\n", group_digits(result.documents),
        group_digits(result.queries), split, group_digits(result.cached));
    context.console.note(speed_note(result.tokens, embedder.isa(), embedder.threads()));
  }

  std::string speed_note(std::size_t tokens, const std::string& isa, int threads) const {
    const double took = seconds();
    return fmt::format("{:.1f} s, {}", took, speed_text(tokens, took, isa, threads));
  }

  void evaluate_similarity() {
    Embedder embedder = Embedder::load(model, options);
    StsOptions how;
    how.prompt = text_prompt(prompts, embedder);
    how.cache_directory = cache;
    Progress progress(context.console);
    how.progress = reporter(progress);
    const StsResult result = evaluate_sts(embedder, sts, how);
    progress.clear();
    const Json document = {{"pairs", result.pairs},
                           {"truncated", result.truncated},
                           {"max_length", embedder.max_length()},
                           {"cached", result.cached},
                           {"tokens", result.tokens},
                           {"seconds", seconds()},
                           {"pooling", pooling_text(embedder)},
                           {"prompt", how.prompt},
                           {"model_digest", embedder.digest()},
                           {"precision", embedder.precision()},
                           {"isa", embedder.isa()},
                           {"threads", embedder.threads()}};
    write_mteb(result.metrics, "cosine_spearman", std::filesystem::path(sts).stem().string(),
               document);
    warn_truncated(context.console, result.truncated, 2 * result.pairs, "sentence",
                   embedder.max_length(), embedder.max_length_limit());
    if (context.console.json) {
      Json all = Json::object();
      add_metrics(all, result.metrics);
      all.update(document);
      return context.console.print_json(all);
    }
    std::vector<std::pair<std::string, std::string>> rows;
    for (const auto& [name, value] : result.metrics)
      rows.emplace_back(name, fmt::format("{:.5f}", value));
    print_table(rows);
    context.console.out() << fmt::format("\n{} pairs\n", group_digits(result.pairs));
    context.console.note(speed_note(result.tokens, embedder.isa(), embedder.threads()));
  }

  void evaluate_reranking() {
    RerankerOptions reranker_options;
    reranker_options.runtime = options.runtime;
    reranker_options.tokenizer = options.tokenizer;
    reranker_options.max_length = options.max_length.value_or(0);
    Reranker reranker = Reranker::load(model, reranker_options);
    RerankOptions how;
    how.split = split;
    how.top_n = top_n;
    how.ignore_identical_ids = ignore_identical_ids;
    how.cache_directory = cache;
    Progress progress(context.console);
    how.progress = reporter(progress);
    const RerankResult result = evaluate_rerank(reranker, dataset, rerank_run, how);
    progress.clear();
    const Json document = {{"queries", result.queries},
                           {"pairs", result.pairs},
                           {"truncated", result.truncated},
                           {"max_length", reranker.max_length()},
                           {"cached", result.cached},
                           {"tokens", result.tokens},
                           {"seconds", seconds()},
                           {"split", split},
                           {"model_digest", reranker.digest()},
                           {"precision", reranker.precision()},
                           {"isa", reranker.isa()},
                           {"threads", reranker.threads()}};
    write_files(result.scores, result.run);
    write_mteb(result.scores.mean, "map_at_1000", dataset_name(dataset), document);
    warn_truncated(context.console, result.truncated, result.pairs, "pair", reranker.max_length(),
                   reranker.max_length_limit());
    if (context.console.json) {
      Json all = Json::object();
      add_metrics(all, result.scores.mean);
      all.update(document);
      all["candidates"] = Json::object();
      add_metrics(all["candidates"], result.candidates.mean);
      return context.console.print_json(all);
    }
    Table table({"metric", "candidates", "reranked"});
    const auto before = main_metrics(result.candidates.mean);
    const auto after = main_metrics(result.scores.mean);
    for (std::size_t i = 0; i < after.size() && i < before.size(); ++i)
      table.add({after[i].first, before[i].second, after[i].second});
    context.console.out() << table.text()
                          << fmt::format("\n{} queries, {} pairs\n", group_digits(result.queries),
                                         group_digits(result.pairs));
    context.console.note(speed_note(result.tokens, reranker.isa(), reranker.threads()));
  }
};

}  // namespace

void define_eval(Command& command, Context& context) {
  const auto self = std::make_shared<EvalCommand>(context);
  CLI::App& app = command.app;
  add_model(app, self->model);
  app.add_option("--dataset", self->dataset, "a BEIR directory: corpus, queries, qrels")
      ->type_name("DIR");
  app.add_option("--split", self->split, "which qrels (test)")->type_name("NAME");
  app.add_option("--sts", self->sts, "sentence pairs in the STS benchmark's form")
      ->type_name("FILE");
  app.add_option("--rerank-run", self->rerank_run, "rerank this TREC run with a cross-encoder")
      ->type_name("FILE");
  app.add_option("--top-n", self->top_n, "candidates a query to rerank (100)")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  app.add_option("--top-k", self->top_k, "documents kept a query (1000)")
      ->type_name("K")
      ->check(CLI::PositiveNumber);
  app.add_flag("--ignore-identical-ids", self->ignore_identical_ids,
               "drop the document that has the query's id");
  app.add_option("--cache", self->cache, "where embeddings are kept (or --no-cache)")
      ->type_name("DIR");
  app.add_flag("--no-cache", self->no_cache, "keep none")->group("");  // the line above names it
  app.add_option("--per-query", self->per_query, "metrics a query, tab-separated")
      ->type_name("FILE")
      ->group(kResultGroup);
  app.add_option("--run-file", self->run_file, "what was found, as a TREC run")
      ->type_name("FILE")
      ->group(kResultGroup);
  auto* mteb = app.add_option("--mteb-json", self->mteb_json, "the result in MTEB's form");
  mteb->type_name("FILE")->group(kResultGroup);
  app.add_option("--task-name", self->task_name, "the name in it (of the data set)")
      ->type_name("NAME")
      ->needs(mteb)
      ->group(kResultGroup);
  add_role_prompt_flags(app, self->prompts);
  add_prompt_flags(app, self->prompts);
  add_embedder_flags(app, context, self->options);
  command.examples = {"octavo eval models/minilm --dataset data/scifact",
                      "octavo eval models/e5 --dataset data/scifact --query-prompt \"query: \"",
                      "octavo eval models/minilm --sts data/sts-dev.csv --json"};
  command.run = [self, &app] { self->run(app); };
}

}  // namespace octavo::cli
