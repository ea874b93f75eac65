// octavo bench: how long a model takes for batches of random tokens, without padding.
#include <fmt/format.h>

#include <charconv>
#include <memory>

#include "flags.h"
#include "format.h"
#include "octavo/model.h"
#include "progress.h"
#include "verbs.h"

namespace octavo::cli {
namespace {

struct Case {
  std::size_t batch = 0, tokens = 0;
};

[[noreturn]] void fail_cases(const std::string& found) {
  throw Error(ErrorCode::kInvalidArgument,
              {.message = "--cases is not a list of batch sizes and lengths",
               .expected = "BATCHxTOKENS,... such as 1x128,32x256",
               .found = found,
               .fix = "for 32 texts of 256 tokens each: --cases 32x256"});
}

std::vector<Case> parse_cases(const std::string& list) {
  std::vector<Case> out;
  std::size_t at = 0;
  while (at <= list.size()) {
    const std::size_t end = std::min(list.find(',', at), list.size());
    const std::string word = list.substr(at, end - at);
    const char* stop = word.data() + word.size();
    Case one;
    const auto first = std::from_chars(word.data(), stop, one.batch);
    if (first.ec != std::errc{} || first.ptr == stop || *first.ptr != 'x') fail_cases(word);
    const auto second = std::from_chars(first.ptr + 1, stop, one.tokens);
    if (second.ec != std::errc{} || second.ptr != stop || one.batch == 0 || one.tokens == 0)
      fail_cases(word);
    out.push_back(one);
    at = end + 1;
  }
  return out;
}

struct BenchCommand {
  explicit BenchCommand(Context& the_context) : context(the_context) {}

  Context& context;
  std::string model, cases = "1x16,1x128,1x512,8x128,32x256";
  double min_time = 1.0;
  RuntimeOptions options{};

  void run() {
    const std::vector<Case> list = parse_cases(cases);
    Model loaded = Model::load(model, options);
    Progress progress(context.console);
    Json results = Json::array();
    Table table({"batch", "tokens", "median ms", "tokens/s"});
    for (const Case& one : list) {
      const double ms = loaded.time_ms(one.batch, one.tokens, min_time);
      const double rate = ms > 0 ? static_cast<double>(one.batch * one.tokens) * 1000 / ms : 0.0;
      results.push_back({{"batch", one.batch},
                         {"tokens", one.tokens},
                         {"median_ms", ms},
                         {"tokens_per_second", rate}});
      table.add({std::to_string(one.batch), std::to_string(one.tokens), fmt::format("{:.2f}", ms),
                 group_digits(static_cast<std::size_t>(rate))});
      progress.update("cases", results.size(), 0,
                      static_cast<double>(results.size()) / static_cast<double>(list.size()));
    }
    progress.clear();
    Console& console = context.console;
    if (console.json) {
      return console.print_json({{"results", results},
                                 {"isa", loaded.isa()},
                                 {"precision", options.precision},
                                 {"threads", loaded.threads()},
                                 {"min_time", min_time}});
    }
    console.out() << table.text()
                  << fmt::format("\n{}, {}, {}\n", options.precision, loaded.isa(),
                                 plural(static_cast<std::size_t>(loaded.threads()), "thread"));
  }
};

}  // namespace

void define_bench(Command& command, Context& context) {
  const auto self = std::make_shared<BenchCommand>(context);
  CLI::App& app = command.app;
  add_model(app, self->model);
  app.add_option("--cases", self->cases, "BATCHxTOKENS,... (" + self->cases + ")")
      ->type_name("LIST");
  app.add_option("--min-time", self->min_time, "seconds a case, at least (1); three runs at least")
      ->type_name("S")
      ->check(CLI::NonNegativeNumber);
  add_runtime_flags(app, context, self->options);
  command.about = "Random token ids, every sequence of full length; the median of the runs counts.";
  command.examples = {"octavo bench models/minilm",
                      "octavo bench models/minilm --cases 1x128,32x256 --threads 2 --json",
                      "octavo bench models/minilm --isa avx2 --min-time 3"};
  command.run = [self] { self->run(); };
}

}  // namespace octavo::cli
