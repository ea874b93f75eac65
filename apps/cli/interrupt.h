// Ctrl-C, and being asked to end (SIGTERM, SIGHUP). Outside of an Interruptible scope that ends the
// process at once; inside, the first one only asks (`interrupted()` becomes true, so that files are
// put away), the second one ends the process.
#pragma once

namespace octavo::cli {

/// What a shell expects of a process that Ctrl-C ended.
inline constexpr int kExitInterrupted = 130;

void install_interrupt_handler();
bool interrupted();
/// What a shell expects of a process that was ended so: 128 and the number of the signal.
int interrupted_exit_code();

class Interruptible {
 public:
  Interruptible();
  ~Interruptible();
  Interruptible(const Interruptible&) = delete;
  Interruptible& operator=(const Interruptible&) = delete;
};

}  // namespace octavo::cli
