#pragma once
// Time that has passed.

#include <chrono>
#include <string>

namespace grin {

// Runs from the moment it is made.
class Stopwatch {
 public:
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

// "1m 05s", "2h 03m", "8.4s".
std::string FormatDuration(double seconds);

}  // namespace grin
