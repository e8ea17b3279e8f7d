#pragma once
// A progress bar with the time left, on stderr and only on a terminal.

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace grin {

class Progress {
 public:
  // `total` in any unit of work; the time left is estimated from the share done.
  Progress(std::string label, int64_t total);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // Shows `done` of the total, and a few figures after the bar ("loss 1.23").
  void Update(int64_t done, std::string_view figures = {});
  void Add(int64_t more, std::string_view figures = {}) { Update(done_ + more, figures); }

  double seconds() const;

 private:
  void Draw(std::string_view figures);

  std::string label_;
  int64_t total_;
  int64_t done_ = 0;
  bool visible_;
  std::chrono::steady_clock::time_point start_;
  std::chrono::steady_clock::time_point drawn_;
};

// Wipes the bar from the line, before something else is printed there.
void ClearProgressLine();

// "1m 05s", "2h 03m", "8.4s".
std::string FormatDuration(double seconds);

}  // namespace grin
