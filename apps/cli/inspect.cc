// octavo inspect: what a model consists of and how it will run.
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "flags.h"
#include "format.h"
#include "octavo/model.h"
#include "octavo/model_record.h"
#include "verbs.h"

namespace octavo::cli {
namespace {

std::string values_text(const std::vector<ModelInput>& values) {
  std::string out;
  for (const ModelInput& value : values) {
    std::string shape;
    for (const std::string& dim : value.shape) shape += (shape.empty() ? "" : ", ") + dim;
    out += fmt::format("  {} {} [{}]\n", value.name, value.dtype, shape);
  }
  return out;
}

// What the files beside the weights say, or why the model is no embedder.
struct EmbeddingSettings {
  Json json;
  std::string text;
};

EmbeddingSettings embedding_settings(const std::string& model, const EmbedderOptions& options) {
  try {
    const Embedder embedder = Embedder::load(model, options);
    Json prompts = Json::object();
    std::string prompt_text;
    for (const auto& [name, prompt] : embedder.prompts()) {
      prompts[name] = prompt;
      prompt_text += fmt::format("{}{} \"{}\"", prompt_text.empty() ? "" : ", ", name, prompt);
    }
    const auto default_prompt = embedder.default_prompt_name();
    Json json = {{"pooling", pooling_text(embedder)},
                 {"normalize", embedder.normalize()},
                 {"dimensions", embedder.dimensions()},
                 {"max_length", embedder.max_length()},
                 {"similarity", similarity_name(embedder.similarity())},
                 {"prompts", prompts},
                 {"default_prompt_name", default_prompt ? Json(*default_prompt) : Json(nullptr)},
                 {"digest", embedder.digest()}};
    return {std::move(json),
            fmt::format("  pooling {}{}, {} dimensions, at most {} tokens, {} similarity\n"
                        "  prompts: {}\n",
                        pooling_text(embedder), embedder.normalize() ? ", normalized" : "",
                        embedder.dimensions(), embedder.max_length(),
                        similarity_name(embedder.similarity()),
                        prompt_text.empty() ? "none" : prompt_text)};
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kCancelled) throw;
    return {{{"unavailable", error.info().message}, {"fix", error.info().fix}},
            "  not as an embedder: " + error.info().message + "\n"};
  }
}

/// "name value, name value".
std::string pairs_text(const Json& values) {
  std::string out;
  for (const auto& [name, value] : values.items())
    out += fmt::format("{}{} {}", out.empty() ? "" : ", ", name, value.get<std::string>());
  return out;
}

/// What the digest of a record is of: one file as sha256sum has it, or the digests of several.
std::string digest_text(const Json& record) {
  const std::string digest = record.at("source_sha256").get<std::string>().substr(0, 16);
  std::string names;
  const Json files = record.value("source_files", Json::array());
  for (const Json& name : files) names += (names.empty() ? "" : ", ") + name.get<std::string>();
  if (files.size() == 1) return fmt::format("sha256 {} of {}", digest, names);
  return fmt::format("sha256 {} of the sha256 of {}, a line each", digest,
                     names.empty() ? "its files" : names);
}

/// Where the model comes from, then a line a step: "  convert: opset 17".
std::string record_text(const Json& record) {
  std::string out = fmt::format("  from {} ({}), by {}\n", record.at("source").get<std::string>(),
                                digest_text(record), record.at("tool_version").get<std::string>());
  for (const Json& step : record.at("recipe")) {
    const std::string options = pairs_text(step.at("options"));
    out += fmt::format("  {}{}{}\n", step.at("verb").get<std::string>(),
                       options.empty() ? "" : ": ", options);
  }
  for (const auto& [name, value] : record.at("measured").items()) {
    out += value.is_object() ? fmt::format("  measured on: {}\n", pairs_text(value))
                             : fmt::format("  measured {}: {}\n", name, value.get<double>());
  }
  if (record.contains("sensitivity")) {
    const Json& layers = record.at("sensitivity").at("layers");
    out += fmt::format(
        "  measured what {} products cost alone, the worst {} ({:.1f} dB): --json, "
        "octavo compare --report\n",
        layers.size(), layers.at(0).at("node").get<std::string>(),
        layers.at(0).at("sqnr_db").get<double>());
  }
  return out;
}

struct InspectCommand {
  explicit InspectCommand(Context& the_context) : context(the_context) {}

  Context& context;
  std::string model;
  bool graph = false, plan = false;
  EmbedderOptions options{};

  void run() {
    const ModelSummary summary = Model::load(model, options.runtime).summary(graph);
    const EmbeddingSettings settings = embedding_settings(model, options);
    const std::string text = model_record(model);
    const Json record = text.empty() ? Json(nullptr) : Json::parse(text);
    if (context.console.json) return print_json(summary, settings.json, record);
    if (graph) {
      context.console.out() << summary.graph_text;
      if (!plan) return;
    }
    if (!graph) print_text(summary, settings.text, record);
    if (plan) print_plan(summary);
  }

  void print_json(const ModelSummary& summary, const Json& embedding, const Json& record) {
    Json steps = Json::array();
    for (const PlanStep& step : summary.plan)
      steps.push_back({{"name", step.name},
                       {"op", step.op},
                       {"shape", step.shape},
                       {"kernel", step.kernel},
                       {"reason", step.reason}});
    Json document = {
        {"path", summary.path},
        {"format", summary.format},
        {"family", summary.family},
        {"parameters", summary.parameters},
        {"weight_bytes", summary.weight_bytes},
        {"file_bytes", summary.file_bytes},
        {"packed_weight_bytes", summary.packed_weight_bytes},
        {"arena_bytes_per_token", summary.arena_bytes_per_token},
        {"dtype_bytes", summary.dtype_bytes},
        {"inputs", values_json(summary.inputs)},
        {"outputs", values_json(summary.outputs)},
        {"ops", summary.op_counts},
        {"lifted_ops", summary.lifted_op_counts},
        {"precision", summary.precision},
        {"asked_precision",
         summary.asked_precision.empty() ? Json(nullptr) : Json(summary.asked_precision)},
        {"packed", summary.packed},
        {"plan_note", summary.plan_note},
        {"plan_source", summary.plan_source},
        {"embedding", embedding},
        {"record", record},
        {"plan", std::move(steps)}};
    if (graph) document["graph"] = summary.graph_text;
    context.console.print_json(document);
  }

  void print_text(const ModelSummary& summary, const std::string& settings, const Json& record) {
    std::ostream& out = context.console.out();
    const Console& console = context.console;
    std::string stored;
    for (const auto& [name, bytes] : summary.dtype_bytes)
      stored += fmt::format("{}{} {}", stored.empty() ? "" : ", ", name, bytes_text(bytes));
    out << console.strong(summary.path) << '\n'
        << fmt::format("  {} ({}), {} parameters\n", summary.family, summary.format,
                       group_digits(summary.parameters))
        << fmt::format("  file {}, weights {} ({}), packed {}, {} a token while running\n",
                       bytes_text(summary.file_bytes), bytes_text(summary.weight_bytes), stored,
                       bytes_text(summary.packed_weight_bytes),
                       bytes_text(summary.arena_bytes_per_token));
    if (!record.is_null())
      out << '\n' << console.strong("Made by octavo") << '\n' << record_text(record);
    out << '\n' << console.strong("Embedding") << '\n' << settings;
    out << '\n' << console.strong("Inputs") << '\n' << values_text(summary.inputs);
    out << '\n' << console.strong("Outputs") << '\n' << values_text(summary.outputs);
    Table ops({"  op", "as read", "after passes"});
    std::map<std::string, std::pair<std::size_t, std::size_t>> counts;
    for (const auto& [name, count] : summary.op_counts) counts[name].first = count;
    for (const auto& [name, count] : summary.lifted_op_counts) counts[name].second = count;
    for (const auto& [name, pair] : counts)
      ops.add({"  " + name, std::to_string(pair.first), std::to_string(pair.second)});
    out << '\n' << console.strong("Ops") << '\n' << ops.text();
    out << '\n'
        << console.strong("Plan") << '\n'
        << (summary.packed ? "  packed: runs without padding\n" : "  padded: ")
        << (summary.plan_note.empty() ? ""
                                      : (summary.packed ? "  " : "") + summary.plan_note + "\n");
    out << "  computes in " << precision_text(summary) << '\n';
    if (!summary.plan_source.empty()) out << "  " << summary.plan_source << '\n';
    if (!plan) {
      std::map<std::string, std::size_t> kernels;
      for (const PlanStep& step : summary.plan) ++kernels[step.kernel];
      for (const auto& [kernel, count] : kernels)
        out << fmt::format("  {} x {}\n", count, kernel.empty() ? "(none)" : kernel);
      out << "  --plan shows every step and why its kernel was chosen; --graph the graph\n";
    }
  }

  void print_plan(const ModelSummary& summary) {
    Table table({"step", "op", "shape", "kernel", "why"});
    for (const PlanStep& step : summary.plan)
      table.add({step.name, step.op, step.shape, step.kernel, step.reason});
    context.console.out() << table.text();
  }
};

}  // namespace

void define_inspect(Command& command, Context& context) {
  const auto self = std::make_shared<InspectCommand>(context);
  CLI::App& app = command.app;
  add_model(app, self->model);
  app.add_flag("--plan", self->plan, "every step: its kernel, and why not a faster one");
  app.add_flag("--graph", self->graph, "the graph in text form");
  add_embedder_flags(app, context, self->options);
  command.examples = {"octavo inspect models/minilm",
                      "octavo inspect models/minilm --plan --isa avx2",
                      "octavo inspect model.onnx --graph > model.graph"};
  command.run = [self] { self->run(); };
}

}  // namespace octavo::cli
