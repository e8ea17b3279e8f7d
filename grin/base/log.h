#pragma once
// Messages for people, on stderr; stdout is for results.

#include <spdlog/spdlog.h>

namespace grin {

// Sends log lines to stderr as plain text, warnings and errors marked. With `quiet` only those.
void SetUpLogging(bool quiet);

// True while --quiet is in force: progress bars stay away as well.
bool IsQuiet();

template <typename... Args>
void Info(fmt::format_string<Args...> format, Args&&... args) {
  spdlog::info(format, std::forward<Args>(args)...);
}

template <typename... Args>
void Warn(fmt::format_string<Args...> format, Args&&... args) {
  spdlog::warn(format, std::forward<Args>(args)...);
}

}  // namespace grin
