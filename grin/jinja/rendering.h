#pragma once
// What one rendering of a template carries along: where it is, for errors, and what it may still
// spend, so that no template runs forever or fills the memory.

#include <fmt/format.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace grin::jinja {

struct Namespace;

// Throws BadInput "[text] NAME: line LINE: MESSAGE", on one line whatever the message holds.
[[noreturn]] void FailAt(std::string_view name, int line, std::string_view message);

struct Rendering {
  std::string_view name;  // of the template
  std::chrono::year_month_day date;
  int64_t steps_left;
  int line = 1;   // of what is being evaluated
  int depth = 0;  // of expressions and statements within each other
  // Every namespace made: they can hold each other in a circle and are emptied at the end.
  std::vector<std::shared_ptr<Namespace>> namespaces = {};

  template <typename... Args>
  [[noreturn]] void Fail(fmt::format_string<Args...> format, Args&&... args) const {
    FailAt(name, line, fmt::format(format, std::forward<Args>(args)...));
  }

  void Spend(size_t steps) {
    if (steps >= static_cast<size_t>(steps_left)) {
      Fail("the template takes too long or makes too much text; it may loop without end");
    }
    steps_left -= static_cast<int64_t>(steps);
  }
  void SpendText(size_t bytes) { Spend(1 + bytes / 16); }
};

}  // namespace grin::jinja
