#include "interrupt.h"

#include <unistd.h>

#include <csignal>
#include <initializer_list>

namespace octavo::cli {
namespace {

volatile std::sig_atomic_t asked = 0;  // the signal
volatile std::sig_atomic_t cooperative = 0;

constexpr int kSignalled = 128;

extern "C" void on_interrupt(int signal) {
  if (cooperative == 0 || asked != 0) ::_exit(kSignalled + signal);
  asked = signal;
}

}  // namespace

void install_interrupt_handler() {
  struct sigaction action {};
  action.sa_handler = on_interrupt;
  sigemptyset(&action.sa_mask);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction before {};
    ::sigaction(signal, nullptr, &before);
    const bool unheard = signal == SIGHUP && before.sa_handler == SIG_IGN;  // nohup
    if (!unheard) ::sigaction(signal, &action, nullptr);
  }
}

bool interrupted() { return asked != 0; }
int interrupted_exit_code() { return asked == 0 ? kExitInterrupted : kSignalled + asked; }

Interruptible::Interruptible() { cooperative = cooperative + 1; }
Interruptible::~Interruptible() { cooperative = cooperative - 1; }

}  // namespace octavo::cli
