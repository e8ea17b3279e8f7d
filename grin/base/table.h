#pragma once
// Tables of named choices (methods, objectives, schedules): rows are structs with a `name`, and
// adding a choice is adding a row.

#include <fmt/ranges.h>

#include <ranges>
#include <string>
#include <string_view>
#include <vector>

#include "grin/base/error.h"
#include "grin/base/nearest.h"

namespace grin {

// "grin, salun, magnitude": the names of the rows, for help.
template <std::ranges::forward_range Rows>
std::string NamesOf(const Rows& rows) {
  std::vector<std::string_view> names;
  for (const auto& row : rows) names.push_back(row.name);
  return fmt::format("{}", fmt::join(names, ", "));
}

// The row of that name. Error (usage) naming the nearest and all known ones; `what` says what the
// table holds ("objective").
template <std::ranges::forward_range Rows>
const auto& FindRow(std::string_view room, std::string_view what, const Rows& rows,
                    std::string_view name) {
  std::vector<std::string> known;
  for (const auto& row : rows) {
    if (row.name == name) return row;
    known.emplace_back(row.name);
  }
  const std::string nearest = Nearest(name, known);
  BadUsage(room, "{} '{}' is unknown{}; known: {}", what, name,
           nearest.empty() ? std::string() : fmt::format(", did you mean {}?", nearest),
           fmt::join(known, ", "));
}

}  // namespace grin
