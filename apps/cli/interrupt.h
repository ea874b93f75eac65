// Ctrl-C. Outside of an Interruptible scope it ends the process at once; inside, the first one only
// asks (`interrupted()` becomes true, so that files are put away), the second one ends the process.
#pragma once

namespace octavo::cli {

/// What a shell expects of a process that Ctrl-C ended.
inline constexpr int kExitInterrupted = 130;

void install_interrupt_handler();
bool interrupted();

class Interruptible {
 public:
  Interruptible();
  ~Interruptible();
  Interruptible(const Interruptible&) = delete;
  Interruptible& operator=(const Interruptible&) = delete;
};

}  // namespace octavo::cli
