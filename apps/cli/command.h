// What a verb is: a row of the verb table, and the command that its define() fills in.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "console.h"

namespace octavo::cli {

/// What the process brought along; environment variables are read in main.cc alone.
struct Context {
  Console& console;
  std::string isa;              // OCTAVO_ISA, or "native"
  std::string cache_directory;  // where caches go by default; empty when there is no home
  std::string command_line;     // as a shell would take it: for reports
};

/// One verb's command line: its options in `app`, its examples, and what it does once they are
/// parsed.
struct Command {
  CLI::App app;
  std::string about;                  // a paragraph under the usage line
  std::vector<std::string> examples;  // whole command lines
  std::function<void()> run;
};

struct Verb {
  std::string name, group, summary;
  void (*define)(Command& command, Context& context);
};

/// All verbs, in the order of the overview.
std::span<const Verb> verbs();

/// One screen of at most 80 columns.
std::string overview_text();
std::string help_text(const Verb& verb, const Command& command);

/// Parses the arguments after the verb and runs it. Usage errors are Error(kInvalidArgument).
void run_verb(const Verb& verb, const std::vector<std::string>& arguments, Context& context);

}  // namespace octavo::cli
