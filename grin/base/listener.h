#pragma once
// How a library call speaks while it works, and how its caller stops it. The library prints nothing:
// it hands messages and progress to the listener of the calling thread, and asks it whether to go on.

#include <cstdint>
#include <functional>
#include <string_view>

namespace grin {

enum class LogLevel { kInfo, kWarning };

// How far a piece of work has come. The texts are valid during the call only.
struct ProgressReport {
  std::string_view label;       // "tune"
  int64_t done = 0, total = 1;  // in any unit of work
  double seconds = 0;           // since the work began
  std::string_view figures;     // "loss 1.23", or empty
  bool over = false;            // the last report of this work, whether it was finished or not
};

// Callbacks, each of which may be empty. They run on the thread that works; work that has several
// threads (FetchFromHub) calls them from each of those, also at the same time.
struct Listener {
  std::function<void(LogLevel, std::string_view message)> log;
  std::function<void(const ProgressReport&)> progress;  // at most about ten times a second
  // Asked between two steps of work. Once it says true the call ends with an Error of class
  // kInterrupted, and leaves nothing half-written.
  std::function<bool()> cancelled;
};

// Makes a listener that of the calling thread for as long as the scope lives; scopes nest.
//
//   const ListenerScope scope({.log = [](LogLevel, std::string_view text) { ... }});
class ListenerScope {
 public:
  explicit ListenerScope(Listener listener);
  // Hands CurrentListener() of one thread on to another. `listener`, which may be null, must outlive
  // the scope.
  explicit ListenerScope(const Listener* listener);
  ~ListenerScope();
  ListenerScope(const ListenerScope&) = delete;
  ListenerScope& operator=(const ListenerScope&) = delete;

 private:
  Listener own_;
  const Listener* before_;
};

// The calling thread's listener; null where it has none.
const Listener* CurrentListener();

}  // namespace grin
