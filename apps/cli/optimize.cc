// octavo optimize: the same model in fewer and larger operators, for onnxruntime.
#include "octavo/optimize.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <set>

#include "flags.h"
#include "format.h"
#include "interrupt.h"
#include "suggest.h"
#include "verbs.h"

namespace octavo::cli {
namespace {

std::size_t total(const std::map<std::string, std::size_t>& ops) {
  std::size_t out = 0;
  for (const auto& [name, count] : ops) out += count;
  return out;
}

struct OptimizeCommand {
  explicit OptimizeCommand(Context& the_context) : context(the_context) {}

  Context& context;
  std::string model, directory, level = "2";
  bool explain = false;
  OptimizeOptions options{};

  void run() {
    options.level = parse_optimize_level(level);
    check_names();
    const Interruptible guard;
    options.cancelled = interrupted;
    const OptimizeResult result = optimize_model(model, directory, options);
    if (context.console.json) return context.console.print_json(to_json(result));
    print_text(result);
  }

  void check_names() const {
    const std::vector<std::string> known = optimize_pass_names();
    for (const std::string& name : options.disabled) {
      if (std::find(known.begin(), known.end(), name) != known.end()) continue;
      const std::string near = nearest(name, known);
      std::string all;
      for (const std::string& each : known) all += (all.empty() ? "" : ", ") + each;
      throw Error(ErrorCode::kInvalidArgument,
                  {.message = "there is no such pass",
                   .place = "--disable",
                   .expected = "of " + all,
                   .found = name,
                   .fix = near.empty() ? "name one of them" : "did you mean " + near + "?"});
    }
  }

  Json to_json(const OptimizeResult& result) const {
    Json passes = Json::array();
    for (const OptimizePass& pass : result.passes) {
      Json row = {{"name", pass.name}, {"fired", pass.fired}, {"seconds", pass.seconds}};
      if (explain) row["near_misses"] = pass.near_misses;
      passes.push_back(std::move(row));
    }
    return {{"path", result.path},
            {"level", options.level},
            {"opset", result.opset},
            {"files", result.files},
            {"source_bytes", result.source_bytes},
            {"bytes", result.bytes},
            {"nodes_before", total(result.ops_before)},
            {"nodes_after", total(result.ops_after)},
            {"ops_before", result.ops_before},
            {"ops_after", result.ops_after},
            {"passes", std::move(passes)}};
  }

  void print_text(const OptimizeResult& result) const {
    std::ostream& out = context.console.out();
    const Console& console = context.console;
    out << console.strong(result.path) << '\n'
        << fmt::format("  level {}, opset {}: {} nodes became {}, {} became {}\n\n", options.level,
                       result.opset, total(result.ops_before), total(result.ops_after),
                       bytes_text(result.source_bytes), bytes_text(result.bytes));
    Table ops({"  op", "before", "after"});
    std::set<std::string> names;
    for (const auto& [name, count] : result.ops_before) names.insert(name);
    for (const auto& [name, count] : result.ops_after) names.insert(name);
    const auto count_of = [](const auto& counts, const std::string& name) {
      const auto at = counts.find(name);
      return at == counts.end() ? std::string("0") : std::to_string(at->second);
    };
    for (const std::string& name : names) {
      ops.add({"  " + name, count_of(result.ops_before, name), count_of(result.ops_after, name)});
    }
    out << console.strong("Nodes") << '\n' << ops.text();
    if (explain) print_passes(result);
  }

  void print_passes(const OptimizeResult& result) const {
    std::ostream& out = context.console.out();
    out << '\n' << context.console.strong("Passes") << '\n';
    for (const OptimizePass& pass : result.passes) {
      out << fmt::format("  {}: {}\n", pass.name, plural(pass.fired, "rewrite"));
      for (const std::string& miss : pass.near_misses) {
        out << "    " << wrap("not " + miss, 96, 6, 4) << '\n';
      }
    }
  }
};

}  // namespace

void define_optimize(Command& command, Context& context) {
  const auto self = std::make_shared<OptimizeCommand>(context);
  CLI::App& app = command.app;
  add_model(app, self->model);
  app.add_option("-o,--output", self->directory, "directory to write the model into")
      ->required()
      ->type_name("DIR");
  app.add_option(
         "--level", self->level,
         "0: as imported; 1: constants, identities, equal nodes, shapes; 2: fused operators "
         "of onnxruntime; 99: everything that only rounds differently")
      ->type_name("{0,1,2,99}")
      ->capture_default_str();
  add_list_flag(app, "--disable", self->options.disabled, "passes to leave out, by name")
      ->type_name("NAME[,NAME]");
  app.add_flag("--explain", self->explain,
               "what each pass did, and what it nearly did and why not");
  app.add_option("--opset", self->options.opset,
                 "opset of the file, 11 to 21 (17; 21 where needed)")
      ->type_name("N");
  app.add_option("--file-name", self->options.file_name, "name of the model in DIR")
      ->type_name("NAME")
      ->capture_default_str();
  app.add_flag("--external-data", self->options.external_data,
               "weights into a file beside the model (always above 2 GB)");
  app.add_flag("--force", self->options.force, "replace files of a directory that holds some");
  command.about =
      "Writes the model with fewer and larger operators and the same results. Heads and sizes are "
      "found in the graph. Masks of rows padded on the left keep their meaning.";
  command.examples = {"octavo optimize models/minilm -o out",
                      "octavo optimize model.onnx -o out --level 1 --opset 14",
                      "octavo optimize model.onnx -o out --explain --disable fuse_attention"};
  command.run = [self] { self->run(); };
}

}  // namespace octavo::cli
