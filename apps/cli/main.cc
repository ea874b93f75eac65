// octavo's command line: picks the verb, reads the environment, and turns every failure into one
// message and one exit code: 0 ok, 1 failed, 2 usage, 3 not found, 130 interrupted,
// 143 asked to end.
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <new>

#include "command.h"
#include "interrupt.h"
#include "octavo/error.h"
#include "suggest.h"

namespace octavo::cli {
namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string cache_directory() {
  if (const std::string own = environment("OCTAVO_CACHE"); !own.empty()) return own;
  if (const std::string xdg = environment("XDG_CACHE_HOME"); !xdg.empty()) return xdg + "/octavo";
  if (const std::string home = environment("HOME"); !home.empty()) return home + "/.cache/octavo";
  return {};
}

std::string command_line(const std::vector<std::string>& arguments) {
  constexpr const char* kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=+.,:/@%";
  std::string out = "octavo";
  for (const std::string& argument : arguments) {
    if (!argument.empty() && argument.find_first_not_of(kPlain) == std::string::npos) {
      out += " " + argument;
      continue;
    }
    out += " '";
    for (const char c : argument) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
    out += "'";
  }
  return out;
}

/// Verbs that write models map what they read: a file cut off meanwhile has no bytes to give.
extern "C" void explain_shrunken_file(int) {
  static constexpr char kText[] =
      "octavo: error: a file of the model was cut off while it was read\n"
      "  fix: run again once nothing writes to the model\n";
  static_cast<void>(!::write(STDERR_FILENO, kText, sizeof kText - 1));
  ::_exit(1);
}

int exit_code(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument: return 2;
    case ErrorCode::kNotFound: return 3;
    case ErrorCode::kCancelled: return interrupted_exit_code();
    default: return 1;
  }
}

const Verb& find_verb(const std::string& name) {
  std::vector<std::string> names;
  for (const Verb& verb : verbs()) {
    if (verb.name == name) return verb;
    names.push_back(verb.name);
  }
  const bool flag = name.starts_with("-");
  const std::string near = flag ? "" : nearest(name, names);
  const std::string list = "'octavo help' lists the verbs";
  throw Error(
      ErrorCode::kInvalidArgument,
      {.message = flag ? "the verb comes first, before " + name : "there is no verb '" + name + "'",
       .fix = near.empty() ? list : "did you mean '" + near + "'? " + list});
}

void dispatch(std::vector<std::string> arguments, Context& context) {
  if (arguments.empty() || arguments[0] == "-h" || arguments[0] == "--help" ||
      (arguments[0] == "help" && arguments.size() == 1)) {
    context.console.out() << overview_text();
    return;
  }
  std::string name = arguments[0];
  arguments.erase(arguments.begin());
  if (name == "help") {
    name = arguments[0];
    arguments = {"--help"};
  } else if (name == "--version" || name == "-V") {
    name = "version";
  }
  run_verb(find_verb(name), arguments, context);
}

// What was done before a failure is not lost.
void flush_quietly(Console& console) {
  try {
    console.flush();
  } catch (...) {
  }
}

int guarded_main(std::vector<std::string> arguments) {
  Console console(!environment("NO_COLOR").empty());
  for (const std::string& argument : arguments) {
    if (argument == "--") break;
    if (argument == "--json") console.json = true;
  }
  const std::string isa = environment("OCTAVO_ISA");
  Context context{console, isa.empty() ? "native" : isa, cache_directory(),
                  command_line(arguments)};
  try {
    dispatch(std::move(arguments), context);
    console.flush();
    return 0;
  } catch (const BrokenPipe&) {
    return 0;
  } catch (const Error& error) {
    flush_quietly(console);
    if (error.code() == ErrorCode::kCancelled && interrupted()) {
      console.note("octavo: interrupted");
    } else {
      console.print_error(error);
    }
    return exit_code(error.code());
  } catch (const std::bad_alloc&) {
    console.print_error(
        Error(ErrorCode::kIo,
              ErrorInfo{.message = "there is not enough memory",
                        .fix = "'octavo doctor MODEL' compares what is needed and what is free"}));
  } catch (const std::exception& error) {
    console.print_error(
        Error(ErrorCode::kInternal, {.message = std::string("unexpected failure: ") + error.what(),
                                     .fix = "this is a defect of octavo: please report it"}));
  }
  return 1;
}

}  // namespace
}  // namespace octavo::cli

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);  // a file that may not grow is an error like a full disk
  std::signal(SIGBUS, octavo::cli::explain_shrunken_file);
  octavo::cli::install_interrupt_handler();
  return octavo::cli::guarded_main({argv + (argc > 0 ? 1 : 0), argv + argc});
}
