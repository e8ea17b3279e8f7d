#pragma once
// The one exception type. An Error ends a command: its class is the process's exit code and its
// message one line that says where, what was found and what was expected.

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace grin {

enum class ErrorClass {
  kInternal = 1,     // a defect of this program
  kUsage = 2,        // wrong flags or settings
  kBadInput = 3,     // a file, record or tensor that cannot be used
  kMemory = 4,       // would not fit the memory budget
  kGuard = 5,        // training collapsed or met NaN; the best state was kept
  kInterrupted = 130  // stopped by a signal; can be resumed
};

class Error : public std::runtime_error {
 public:
  // `room` is the part that speaks ("locate"); the message reads "[locate] ...".
  Error(ErrorClass error_class, std::string_view room, std::string_view message)
      : std::runtime_error(fmt::format("[{}] {}", room, message)), class_(error_class) {}

  ErrorClass error_class() const { return class_; }
  int exit_code() const { return static_cast<int>(class_); }

 private:
  ErrorClass class_;
};

// Throws an Error of class kBadInput: BadInput("io", "{}: header is {} bytes, the file only {}", ...).
template <typename... Args>
[[noreturn]] void BadInput(std::string_view room, fmt::format_string<Args...> format,
                           Args&&... args) {
  throw Error(ErrorClass::kBadInput, room, fmt::format(format, std::forward<Args>(args)...));
}

// Throws an Error of class kUsage.
template <typename... Args>
[[noreturn]] void BadUsage(std::string_view room, fmt::format_string<Args...> format,
                           Args&&... args) {
  throw Error(ErrorClass::kUsage, room, fmt::format(format, std::forward<Args>(args)...));
}

// Throws an Error of class kInternal: for what only a defect of this program can cause.
template <typename... Args>
[[noreturn]] void Defect(std::string_view room, fmt::format_string<Args...> format,
                         Args&&... args) {
  throw Error(ErrorClass::kInternal, room, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace grin
