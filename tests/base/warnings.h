#pragma once
// What is logged while a test runs.

#include <string>

#include "grin/base/listener.h"

namespace grin {

// Takes the warnings of this thread for as long as it lives.
class Warnings {
 public:
  // One a line.
  const std::string& text() const { return text_; }

 private:
  mutable std::string text_;
  ListenerScope scope_{{.log = [this](LogLevel level, std::string_view message) {
    if (level == LogLevel::kWarning) text_.append(message).append("\n");
  }}};
};

}  // namespace grin
