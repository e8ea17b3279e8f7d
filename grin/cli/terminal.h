#pragma once
// The command as a listener: log lines and a progress bar on stderr, cancellation by signals.

#include <string_view>

#include "grin/base/listener.h"

namespace grin {

// Log lines to stderr as plain text, warnings marked; a progress bar with the time left, on a terminal
// only. With `quiet` warnings only. Work is cancelled once a signal was caught.
Listener TerminalListener(bool quiet);

// Catches SIGINT and SIGTERM from now on. A second signal ends the process at once.
void CatchInterrupts();

// Prints "error: ..." to stderr, on a line of its own.
void PrintError(std::string_view message);

}  // namespace grin
