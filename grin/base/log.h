#pragma once
// Messages for people, to the calling thread's listener. Without one they are not even formatted.

#include <fmt/format.h>

#include <utility>

#include "grin/base/listener.h"

namespace grin {

template <typename... Args>
void Log(LogLevel level, fmt::format_string<Args...> format, Args&&... args) {
  const Listener* listener = CurrentListener();
  if (!listener || !listener->log) return;
  listener->log(level, fmt::format(format, std::forward<Args>(args)...));
}

template <typename... Args>
void Info(fmt::format_string<Args...> format, Args&&... args) {
  Log(LogLevel::kInfo, format, std::forward<Args>(args)...);
}

// What a user has to know to judge the result.
template <typename... Args>
void Warn(fmt::format_string<Args...> format, Args&&... args) {
  Log(LogLevel::kWarning, format, std::forward<Args>(args)...);
}

}  // namespace grin
