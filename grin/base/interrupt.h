#pragma once
// Ctrl-C and SIGTERM end a command between two steps of work, so that it can leave things tidy.

namespace grin {

// Catches SIGINT and SIGTERM from now on. A second signal ends the process at once.
void CatchInterrupts();

// Throws an Error of class kInterrupted once a signal has arrived.
void ThrowIfInterrupted();

}  // namespace grin
