// octavo doctor: what this machine and a model can do, and what to do about what they cannot.
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <memory>

#include "flags.h"
#include "format.h"
#include "octavo/model.h"
#include "octavo/reranker.h"
#include "octavo/system.h"
#include "verbs.h"

namespace octavo::cli {
namespace {

enum class State { kOk, kNote, kProblem };

struct Check {
  State state;
  std::string name, finding, advice{};
};

const char* state_name(State state) {
  return state == State::kOk ? "ok" : state == State::kNote ? "note" : "problem";
}

std::vector<Check> check_system(const SystemReport& system) {
  std::vector<Check> out;
  out.push_back(
      {State::kOk, "cpu",
       fmt::format("{}, {}", system.cpu, plural(static_cast<std::size_t>(system.cores), "core"))});
  const bool portable = system.isa == "portable";
  out.push_back({portable ? State::kNote : State::kOk, "kernels", system.isa,
                 portable ? "this CPU has no AVX2: expect a fraction of the usual speed" : ""});
  std::string absent;
  for (const CpuFeature& feature : system.features) {
    if (feature.usable) continue;
    if (!feature.present) {
      absent += (absent.empty() ? "" : ", ") + feature.name;
      continue;
    }
    out.push_back(
        {State::kNote, feature.name, "the CPU has it, but it cannot be used", feature.reason});
  }
  if (!absent.empty()) out.push_back({State::kOk, "not in this CPU", absent});
  const bool little = system.memory_available_bytes < (512u << 20);
  out.push_back({little ? State::kProblem : State::kOk, "memory",
                 fmt::format("{} of {} available", bytes_text(system.memory_available_bytes),
                             bytes_text(system.memory_bytes)),
                 little ? "end other programs, or raise the container's memory limit" : ""});
  const bool huge =
      system.transparent_huge_pages == "always" || system.transparent_huge_pages == "madvise";
  out.push_back({huge ? State::kOk : State::kNote, "huge pages",
                 system.transparent_huge_pages.empty() ? "unknown" : system.transparent_huge_pages,
                 huge ? ""
                      : "a little faster with: echo madvise | sudo tee "
                        "/sys/kernel/mm/transparent_hugepage/enabled"});
  return out;
}

// A thing that either works or says why not.
Check attempt(const std::string& name, State on_failure, const std::function<std::string()>& body) {
  try {
    return {State::kOk, name, body()};
  } catch (const Error& error) {
    const ErrorInfo& info = error.info();
    std::string finding = info.message;
    if (!info.file.empty()) finding = info.file + ": " + finding;
    if (!info.found.empty()) finding += " (found " + info.found + ")";
    return {on_failure, name, finding, info.fix};
  }
}

struct DoctorCommand {
  explicit DoctorCommand(Context& the_context) : context(the_context) {}

  Context& context;
  std::string model;
  EmbedderOptions options{};

  std::vector<Check> check_model(const SystemReport& system) const {
    std::vector<Check> out;
    ModelSummary summary;
    out.push_back(attempt("loads", State::kProblem, [&] {
      summary = Model::load(model, options.runtime).summary();
      return fmt::format("{} ({}), {} parameters", summary.family, summary.format,
                         group_digits(summary.parameters));
    }));
    if (out.back().state != State::kOk) return out;
    out.push_back({summary.packed ? State::kOk : State::kNote, "plan",
                   summary.packed ? "packed: no time goes into padding"
                                  : "padded: short texts of a batch cost as much as its longest",
                   summary.plan_note});
    out.push_back({State::kOk, "precision", precision_text(summary)});
    if (!summary.plan_source.empty())
      out.push_back({State::kOk, "plan cache", summary.plan_source});
    const std::size_t need = std::max(summary.weight_bytes, summary.packed_weight_bytes);
    const bool fits = need < system.memory_available_bytes;
    out.push_back({fits ? State::kOk : State::kProblem, "memory needed",
                   fmt::format("{} for weights and {} a token while running, {} available",
                               bytes_text(need), bytes_text(summary.arena_bytes_per_token),
                               bytes_text(system.memory_available_bytes)),
                   fits ? "" : "use a machine with more memory"});
    Check embedder = attempt("embed, search, eval", State::kNote, [&] {
      const Embedder loaded = Embedder::load(model, options);
      return fmt::format("{} pooling{}, {} dimensions, at most {} tokens", pooling_text(loaded),
                         loaded.normalize() ? ", normalized" : "", loaded.dimensions(),
                         loaded.max_length());
    });
    Check reranker = attempt("rerank", State::kNote, [&] {
      RerankerOptions reranker_options;
      reranker_options.runtime = options.runtime;
      reranker_options.tokenizer = options.tokenizer;
      const Reranker loaded = Reranker::load(model, reranker_options);
      return fmt::format("{}, at most {} tokens", plural(loaded.labels(), "label"),
                         loaded.max_length());
    });
    // One of the two is what the model is for.
    if (embedder.state != State::kOk && reranker.state != State::kOk)
      embedder.state = State::kProblem;
    if (embedder.state == State::kOk && reranker.state != State::kOk) reranker.advice.clear();
    if (reranker.state == State::kOk && embedder.state != State::kOk) embedder.advice.clear();
    out.push_back(std::move(embedder));
    out.push_back(std::move(reranker));
    return out;
  }

  static Json checks_json(const std::vector<Check>& checks) {
    Json out = Json::array();
    for (const Check& check : checks)
      out.push_back({{"check", check.name},
                     {"state", state_name(check.state)},
                     {"finding", check.finding},
                     {"advice", check.advice.empty() ? Json(nullptr) : Json(check.advice)}});
    return out;
  }

  void print_checks(const std::string& title, const std::vector<Check>& checks) const {
    std::ostream& out = context.console.out();
    out << context.console.strong(title) << '\n';
    for (const Check& check : checks) {
      out << fmt::format("  {:8}{}: {}\n", state_name(check.state), check.name,
                         wrap(check.finding, 80, 10, 12 + check.name.size()));
      if (!check.advice.empty()) out << "          " << wrap(check.advice, 80, 10, 10) << '\n';
    }
  }

  void run() {
    const SystemReport system = inspect_system();
    const std::vector<Check> machine = check_system(system);
    std::vector<Check> about_model;
    if (!model.empty()) about_model = check_model(system);
    if (context.console.json) {
      Json features = Json::array();
      for (const CpuFeature& feature : system.features)
        features.push_back(
            {{"name", feature.name},
             {"present", feature.present},
             {"usable", feature.usable},
             {"reason", feature.reason.empty() ? Json(nullptr) : Json(feature.reason)}});
      Json document = {{"version", version()},
                       {"cpu", system.cpu},
                       {"cores", system.cores},
                       {"isa", system.isa},
                       {"features", std::move(features)},
                       {"memory_bytes", system.memory_bytes},
                       {"memory_available_bytes", system.memory_available_bytes},
                       {"transparent_huge_pages", system.transparent_huge_pages},
                       {"machine", checks_json(machine)}};
      if (!model.empty()) document["model"] = checks_json(about_model);
      context.console.print_json(document);
    } else {
      print_checks("This machine", machine);
      if (!model.empty()) {
        context.console.out() << '\n';
        print_checks(model, about_model);
      }
    }
    const bool bad = std::any_of(about_model.begin(), about_model.end(),
                                 [](const Check& c) { return c.state == State::kProblem; });
    if (bad) fail_model();
  }

  // The exit code is that of what is wrong with the model.
  [[noreturn]] void fail_model() const {
    context.console.flush();
    (void)Model::load(model, options.runtime);
    throw Error(ErrorCode::kUnsupported, {.message = "the model cannot be used as it is",
                                          .file = model,
                                          .fix = "see the problems above"});
  }
};

}  // namespace

void define_doctor(Command& command, Context& context) {
  const auto self = std::make_shared<DoctorCommand>(context);
  CLI::App& app = command.app;
  app.add_option("MODEL", self->model, "also check this model")->group("Arguments");
  add_embedder_flags(app, context, self->options);
  command.about =
      "CPU features, memory, huge pages; for a model: does it load, how will it run, what can it "
      "be "
      "used for, does it fit.";
  command.examples = {"octavo doctor", "octavo doctor models/minilm",
                      "octavo doctor models/minilm --json"};
  command.run = [self] { self->run(); };
}

}  // namespace octavo::cli
