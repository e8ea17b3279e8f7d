#pragma once
// White space at the ends of a text.

#include <string_view>

namespace grin {

inline constexpr std::string_view kSpace = " \t\r\n";

// `text` without the characters of `space` at both ends; a view into it.
constexpr std::string_view Trimmed(std::string_view text, std::string_view space = kSpace) {
  const size_t begin = text.find_first_not_of(space);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(space) - begin + 1);
}

// Nothing but spaces, tabs and line ends.
constexpr bool IsBlank(std::string_view text) { return Trimmed(text).empty(); }

}  // namespace grin
