#pragma once
// Tables of named things: every table row has a `name`.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string>
#include <string_view>
#include <vector>

namespace grin {

// "grin, salun, magnitude": the names of a table's rows, for help and errors.
template <typename Table>
std::string NamesOf(const Table& table) {
  std::vector<std::string_view> names;
  for (const auto& row : table) names.push_back(row.name);
  return fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace grin
