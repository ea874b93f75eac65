#include "interrupt.h"

#include <unistd.h>

#include <csignal>

namespace octavo::cli {
namespace {

volatile std::sig_atomic_t asked = 0;
volatile std::sig_atomic_t cooperative = 0;

extern "C" void on_interrupt(int) {
  if (cooperative == 0 || asked != 0) ::_exit(kExitInterrupted);
  asked = 1;
}

}  // namespace

void install_interrupt_handler() {
  struct sigaction action {};
  action.sa_handler = on_interrupt;
  sigemptyset(&action.sa_mask);
  ::sigaction(SIGINT, &action, nullptr);
}

bool interrupted() { return asked != 0; }

Interruptible::Interruptible() { cooperative = cooperative + 1; }
Interruptible::~Interruptible() { cooperative = cooperative - 1; }

}  // namespace octavo::cli
