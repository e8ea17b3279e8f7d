#pragma once
// How far a piece of work has come, told to the calling thread's listener.

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "grin/base/listener.h"
#include "grin/base/stopwatch.h"

namespace grin {

// Reports when it is made, at most ten times a second in between, and when it goes. May be updated
// by another thread than the one that made it, but by one at a time.
class Progress {
 public:
  // `total` in any unit of work.
  Progress(std::string label, int64_t total);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // `done` of the total is done. A few figures may be shown beside it ("loss 1.23").
  void Update(int64_t done, std::string_view figures = {});
  void Add(int64_t more, std::string_view figures = {}) { Update(done_ + more, figures); }

  double seconds() const { return clock_.seconds(); }

 private:
  void Report(std::string_view figures, bool over);

  std::string label_;
  int64_t total_;
  int64_t done_ = 0;
  const Listener* listener_;  // null where none wants progress
  Stopwatch clock_;
  double reported_ = 0;  // when, in seconds of the clock
};

}  // namespace grin
