#pragma once
// Lists as flags take them: "a,b,c".

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace grin {

// The parts between commas, in order; some may be empty. An empty text is one empty part.
inline std::vector<std::string> CommaParts(std::string_view text) {
  std::vector<std::string> parts;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    parts.emplace_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

}  // namespace grin
