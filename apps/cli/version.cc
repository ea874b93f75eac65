// octavo version.
#include <fmt/format.h>

#include "octavo/system.h"
#include "verbs.h"

namespace octavo::cli {

void define_version(Command& command, Context& context) {
  command.examples = {"octavo version", "octavo version --json", "octavo version -q"};
  command.about = "With --quiet the number alone.";
  command.run = [&context] {
    Console& console = context.console;
    const SystemReport system = inspect_system();
    if (console.json) return console.print_json({{"version", version()}, {"isa", system.isa}});
    console.out() << (console.quiet ? version() + "\n"
                                    : fmt::format("octavo {} ({})\n", version(), system.isa));
  };
}

}  // namespace octavo::cli
