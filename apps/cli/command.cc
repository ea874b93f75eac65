#include "command.h"

#include <algorithm>

#include "octavo/error.h"
#include "suggest.h"

namespace octavo::cli {
namespace {

std::vector<std::string> flag_names(const CLI::App& app) {
  std::vector<std::string> out;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) out.push_back("--" + name);
    for (const std::string& name : option->get_snames()) out.push_back("-" + name);
  }
  return out;
}

[[noreturn]] void fail_usage(const Verb& verb, std::string message, const std::string& suggestion) {
  const std::string help = "'octavo " + verb.name + " --help' lists the options";
  throw Error(ErrorCode::kInvalidArgument,
              {.message = verb.name + ": " + std::move(message),
               .fix = suggestion.empty() ? help : "did you mean " + suggestion + "? " + help});
}

/// Flags that were given together with their opposites: "--per-channel --no-per-channel".
void refuse_contradictions(const Verb& verb, const CLI::App& app,
                           const std::vector<std::string>& arguments) {
  for (const CLI::Option* option : app.get_options()) {
    const std::vector<std::string>& values = option->results();
    const auto holds = [&](const char* value) {
      return std::find(values.begin(), values.end(), value) != values.end();
    };
    if (option->get_expected_max() != 0 || !holds("true") || !holds("false")) continue;
    std::string given;
    for (const std::string& argument : arguments) {
      if (argument.starts_with("--") && option->check_lname(argument.substr(2)))
        given += (given.empty() ? "" : " and ") + argument;
    }
    fail_usage(verb, given + " contradict each other", "");
  }
}

std::string option_of(const std::string& argument) {
  return argument.substr(0, argument.find('='));
}

}  // namespace

void run_verb(const Verb& verb, const std::vector<std::string>& arguments, Context& context) {
  Command command;
  CLI::App& app = command.app;
  app.set_help_flag();
  app.option_defaults()->group("Options");
  verb.define(command, context);
  bool help = false;
  app.add_flag("--json", context.console.json, "print JSON on standard output")->group("Options");
  app.add_flag("-q,--quiet", context.console.quiet, "no progress and no remarks")->group("Options");
  app.add_flag("-h,--help", help, "this help")->group("Options");

  // Help wins over whatever else is wrong with the line.
  const auto end = std::find(arguments.begin(), arguments.end(), "--");
  if (std::any_of(arguments.begin(), end,
                  [](const std::string& a) { return a == "-h" || a == "--help"; })) {
    context.console.out() << help_text(verb, command);
    return;
  }
  try {
    std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
    app.parse(std::move(reversed));
  } catch (const CLI::ExtrasError&) {
    const std::vector<std::string> extras = app.remaining();
    const std::string first = extras.empty() ? "" : extras.front();
    const bool flag = first.size() > 1 && first[0] == '-';
    fail_usage(verb, (flag ? "there is no option " : "one argument too many: ") + first,
               flag ? nearest(option_of(first), flag_names(app)) : "");
  } catch (const CLI::ParseError& error) {
    // An unknown flag is the likelier cause of whatever else is missing.
    const auto names = flag_names(app);
    for (auto it = arguments.begin(); it != end; ++it) {
      const std::string name = option_of(*it);
      if (name.starts_with("--") && name.size() > 2 &&
          std::find(names.begin(), names.end(), name) == names.end())
        fail_usage(verb, "there is no option " + name, nearest(name, names));
    }
    fail_usage(verb, error.what(), "");
  }
  refuse_contradictions(verb, app, arguments);
  command.run();
}

}  // namespace octavo::cli
