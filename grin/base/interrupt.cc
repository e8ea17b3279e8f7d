#include "grin/base/interrupt.h"

#include <unistd.h>

#include <csignal>

#include "grin/base/error.h"

namespace grin {
namespace {

volatile std::sig_atomic_t interrupted = 0;

extern "C" void OnSignal(int signal) {
  if (interrupted) _exit(128 + signal);
  interrupted = 1;
}

}  // namespace

void CatchInterrupts() {
  struct sigaction action {};
  action.sa_handler = OnSignal;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

void ThrowIfInterrupted() {
  if (interrupted) {
    throw Error(ErrorClass::kInterrupted, "grin", "interrupted; nothing half-written was left");
  }
}

}  // namespace grin
