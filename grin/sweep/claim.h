#pragma once
// A piece of work that one process at a time does: a lock on a file, which the system releases when
// the process ends, however it ends.

#include <filesystem>
#include <optional>
#include <string>
#include <utility>

namespace grin {

class Claim {
 public:
  // Takes the lock; nothing where another process (or another Claim of this one) has it. The file
  // is made, and stays. Error (bad input) where it cannot be opened.
  static std::optional<Claim> Try(const std::filesystem::path& path);
  // The same, waiting for whoever has it; `what` says for what, in a message. Error (interrupted)
  // when the listener wants the work to end.
  static Claim Wait(const std::filesystem::path& path, const std::string& what);

  Claim(Claim&& other) noexcept : file_(std::exchange(other.file_, -1)) {}
  Claim& operator=(Claim&&) = delete;
  ~Claim();

 private:
  explicit Claim(int file) : file_(file) {}

  int file_;  // descriptor
};

// Sleeps a moment between two looks at what others do. Error (interrupted) as above.
void WaitAMoment();

}  // namespace grin
