// octavo profile: where the time of a run goes, by operation, layer or step, beside what the
// machine could do.
#include "octavo/profile.h"

#include <fmt/format.h>

#include <filesystem>
#include <memory>

#include "flags.h"
#include "format.h"
#include "interrupt.h"
#include "progress.h"
#include "verbs.h"

namespace octavo::cli {
namespace {

Json positive(double value) { return value > 0 ? Json(value) : Json(nullptr); }

Json named(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }

Json time_json(const ProfileRow& row) { return {{"ms", 1e3 * row.seconds}, {"share", row.share}}; }

Json rates_json(const ProfileRow& row) {
  Json out = {{"calls", row.calls}};
  out.update(time_json(row));
  out.update({{"multiply_adds", positive(row.multiply_adds)},
              {"tops", positive(row.operations_per_second / 1e12)},
              {"share_of_peak", positive(row.share_of_peak)},
              {"weight_bytes", positive(static_cast<double>(row.weight_bytes))},
              {"gb_per_second", positive(row.bytes_per_second / 1e9)},
              {"share_of_memory_peak", positive(row.share_of_memory_peak)}});
  return out;
}

Json row_json(const ProfileRow& row) {
  Json out = {{"name", named(row.name)},
              {"op", named(row.op)},
              {"shape", named(row.shape)},
              {"kernel", named(row.kernel)}};
  out.update(rates_json(row));
  return out;
}

Json peaks_json(const MachinePeaks& peaks) {
  Json compute = Json::array(), memory = Json::array();
  for (const ComputePeak& peak : peaks.compute) {
    compute.push_back({{"precision", peak.precision},
                       {"loop", peak.name},
                       {"threads", peak.threads},
                       {"tops", peak.operations_per_second / 1e12}});
  }
  for (const MemoryPeak& peak : peaks.memory) {
    memory.push_back(
        {{"threads", peak.threads}, {"read_gb_per_second", peak.bytes_per_second / 1e9}});
  }
  return {{"compute", compute}, {"memory", memory}};
}

std::string ms_text(double seconds) {
  const double ms = 1e3 * seconds;
  return ms < 0.1 ? fmt::format("{:.2g}", ms) : fmt::format("{:.3f}", ms);
}

std::string percent(double share) { return fmt::format("{:.1f} %", 100 * share); }

struct ProfileCommand {
  explicit ProfileCommand(Context& the_context) : context(the_context) {}

  Context& context;
  std::string model, cases, by = "op", folded, svg;
  std::size_t top = 0;
  ProfileOptions options{};

  void run() {
    const ProfileBy rows = parse_profile_by(by);
    if (!cases.empty()) options.cases = parse_benchmark_cases(cases);
    if (options.cases.size() > 1 && !(folded.empty() && svg.empty())) {
      throw Error(ErrorCode::kInvalidArgument, {.message = "--folded and --svg take one case",
                                                .expected = "one BATCHxTOKENS",
                                                .found = cases,
                                                .fix = "give --cases one of them"});
    }
    check_folder(folded);
    check_folder(svg);
    Progress progress(context.console);
    options.progress = [&](std::size_t done, std::size_t total) {
      progress.update("cases", done, 0, static_cast<double>(done) / static_cast<double>(total));
    };
    const ProfileResult result = run_profile(model, options);
    progress.clear();
    const Interruptible guard;
    if (!folded.empty()) write_folded_stacks(folded, result, 0);
    if (!svg.empty()) write_flame_graph(svg, result, 0);
    Console& console = context.console;
    if (console.json) return print_json(result, rows);
    for (std::size_t i = 0; i < result.cases.size(); ++i)
      console.out() << case_text(result, i, rows);
    console.out() << limits_text(result);
    if (!folded.empty()) console.note("octavo: folded stacks written to " + folded);
    if (!svg.empty()) console.note("octavo: flame graph written to " + svg);
  }

  // What cannot be written is said before anything is measured.
  static void check_folder(const std::string& path) {
    const std::filesystem::path folder = std::filesystem::path(path).parent_path();
    std::error_code ignored;
    if (folder.empty() || std::filesystem::is_directory(folder, ignored)) return;
    throw Error(ErrorCode::kNotFound, {.message = "the folder of the file does not exist",
                                       .file = path,
                                       .fix = "create it, or give another path"});
  }

  void print_json(const ProfileResult& result, ProfileBy rows) {
    Json out_cases = Json::array();
    for (std::size_t i = 0; i < result.cases.size(); ++i) {
      const CaseProfile& profile = result.cases[i];
      const ProfileTable table = profile_table(result, i, rows, top);
      Json list = Json::array();
      for (const ProfileRow& row : table.rows) list.push_back(row_json(row));
      Json others(nullptr);
      if (table.others.calls > 0) {
        others = {{"calls", table.others.calls}};
        others.update(time_json(table.others));
      }
      out_cases.push_back({{"batch", profile.what.batch},
                           {"tokens", profile.what.tokens},
                           {"runs", profile.run.runs},
                           {"rows", list},
                           {"others", others},
                           {"waiting", time_json(table.waiting)},
                           {"total", rates_json(table.total)}});
    }
    Json out = {{"results", out_cases},
                {"by", by},
                {"isa", result.isa},
                {"precision", result.precision},
                {"threads", result.threads},
                {"min_time", options.min_seconds},
                {"peaks", peaks_json(result.peaks)}};
    if (!folded.empty()) out["folded"] = folded;
    if (!svg.empty()) out["svg"] = svg;
    context.console.print_json(out);
  }

  std::string case_text(const ProfileResult& result, std::size_t index, ProfileBy rows) const {
    const CaseProfile& profile = result.cases[index];
    const ProfileTable table = profile_table(result, index, rows, top);
    std::vector<std::string> header = {"op", "shape", "kernel"};
    if (rows == ProfileBy::kLayer) header = {"layer"};
    if (rows == ProfileBy::kStep) header.insert(header.begin(), "step");
    const std::size_t words = header.size();
    for (const char* name : {"calls", "ms", "share", "TOPS", "of peak", "GB/s"})
      header.emplace_back(name);
    Table text(header);
    const auto add = [&](std::vector<std::string> cells, const ProfileRow& row) {
      cells.resize(words);
      cells.push_back(row.calls > 0 ? std::to_string(row.calls) : "");
      cells.push_back(ms_text(row.seconds));
      cells.push_back(percent(row.share));
      const bool counted = row.multiply_adds > 0;
      cells.push_back(counted ? fmt::format("{:.3f}", row.operations_per_second / 1e12) : "-");
      cells.push_back(row.share_of_peak > 0 ? percent(row.share_of_peak) : "-");
      cells.push_back(row.weight_bytes > 0 ? fmt::format("{:.2f}", row.bytes_per_second / 1e9)
                                           : "-");
      text.add(std::move(cells));
    };
    for (const ProfileRow& row : table.rows) {
      std::vector<std::string> cells = {row.op, row.shape, row.kernel};
      if (rows == ProfileBy::kLayer) cells = {row.name};
      if (rows == ProfileBy::kStep) cells.insert(cells.begin(), row.name);
      add(std::move(cells), row);
    }
    if (table.others.calls > 0) add({"others"}, table.others);
    add({"waiting"}, table.waiting);
    add({"total"}, table.total);
    return fmt::format("{}\n{}\n",
                       context.console.strong(fmt::format(
                           "{} of {}, {}", plural(profile.what.batch, "text"),
                           plural(profile.what.tokens, "token"), plural(profile.run.runs, "run"))),
                       text.text());
  }

  static std::string limits_text(const ProfileResult& result) {
    std::string out = fmt::format("{}, {}; limits:", result.isa,
                                  plural(static_cast<std::size_t>(result.threads), "thread"));
    for (const char* precision : {"fp32", "bf16", "int8"}) {
      if (const ComputePeak* peak = result.peaks.find(precision))
        out += fmt::format(" {} {:.3f} TOPS ({}),", precision, peak->operations_per_second / 1e12,
                           peak->name);
    }
    if (!result.peaks.memory.empty())
      out += fmt::format(" memory {:.1f} GB/s,", result.peaks.memory.back().bytes_per_second / 1e9);
    out.pop_back();
    return out + "\n";
  }
};

}  // namespace

void define_profile(Command& command, Context& context) {
  const auto self = std::make_shared<ProfileCommand>(context);
  CLI::App& app = command.app;
  add_model(app, self->model);
  app.add_option("--cases", self->cases, "BATCHxTOKENS,... (32x256, or what the model takes)")
      ->type_name("LIST");
  app.add_option("--by", self->by, "a row an op (with its shape and kernel), layer or step")
      ->type_name("WHAT")
      ->check(CLI::IsMember({"op", "layer", "step"}));
  app.add_option("--top", self->top, "show the N longest rows, the others as one")
      ->type_name("N")
      ->check(CLI::Range(1, 1000000));
  app.add_option("--folded", self->folded, "write folded stacks in microseconds, for other tools")
      ->type_name("FILE");
  app.add_option("--svg", self->svg, "write a flame graph")->type_name("FILE.svg");
  app.add_option("--min-time", self->options.min_seconds, "seconds a case, at least (1)")
      ->type_name("S")
      ->check(CLI::NonNegativeNumber);
  add_runtime_flags(app, context, self->options.runtime);
  command.about =
      "Random token ids, every sequence of full length; the mean of the runs. Times are of a run "
      "on "
      "all threads, so that the rows and the waiting of the threads add up to it. TOPS counts two "
      "operations for every multiply-add of the products; its peak is that of the type the kernel "
      "computes in, measured on the same threads. GB/s is reading the weights once.";
  command.examples = {"octavo profile models/minilm --precision int8 --cases 8x256 --top 10",
                      "octavo profile models/minilm --by layer --threads 2",
                      "octavo profile models/minilm --folded run.folded --svg run.svg"};
  command.run = [self] { self->run(); };
}

}  // namespace octavo::cli
